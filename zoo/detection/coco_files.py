"""Where the annotations and the pictures of a folder in COCO's format are."""

import re
from pathlib import Path

from zoo.errors import MissingFileError, ZooError

# The words in the names of files and folders that tell a split.
WORDS = {"train": ("train", "training"), "validation": ("val", "valid", "validation")}


def find_annotations(folder: Path, split: str) -> tuple[Path, list[Path]]:
    """The annotations of a split in any folder, and where its pictures may be.

    A word in the name of the JSON file or of its folder tells the split: "train"; "val", "valid"
    or "validation". A folder's only JSON file is of the training set, whatever its name.

    Args:
        folder: Path of the set.
        split: "train" or "validation".

    Returns:
        Path of the JSON file, and a list of folders.

    Raises:
        MissingFileError: there is none.
        ZooError: there are several.
    """
    files = sorted(path for depth in ("*.json", "*/*.json") for path in folder.glob(depth))
    # COCO's archive also holds captions and keypoints of the same pictures.
    files = [path for path in files if path.name.startswith("instances_")] or files
    fitting = [path for path in files if _words(path, folder) & set(WORDS[split])]
    if not fitting and split == "train" and len(files) == 1:
        fitting = files
    if not fitting:
        listed = ", ".join(str(path.relative_to(folder)) for path in files[:8]) or "no JSON file"
        raise MissingFileError(
            f"no annotations for {split} in {folder}; looked for *.json and */*.json with one of "
            f"the words {', '.join(WORDS[split])} in their path. Found: {listed}"
        )
    if len(fitting) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in fitting[:8])
        raise ZooError(f"{folder} has several annotation files for {split}: {listed}. Leave one.")
    path = fitting[0]
    names = [path.stem.removeprefix("instances_"), split, *WORDS[split]]
    roots = [base / name for name in names for base in (folder, folder / "images")]
    return path, [path.parent, path.parent / "images", folder / "images", folder, *roots]


class PictureFiles:
    """Which files there are, each folder read once: asking for 118,287 files is slow."""

    def __init__(self) -> None:
        self._names: dict[Path, set[str]] = {}

    def find(self, root: Path, name: str) -> Path | None:
        """The file that a set calls `name`, also where that was written on Windows."""
        for form in (name, name.replace("\\", "/")):
            path = root / form
            if path.name in self._of_folder(path.parent):
                return path
        return None

    def _of_folder(self, folder: Path) -> set[str]:
        if folder not in self._names:
            there = folder.is_dir()
            self._names[folder] = {path.name for path in folder.iterdir()} if there else set()
        return self._names[folder]


def _words(path: Path, folder: Path) -> set[str]:
    return set(re.findall("[a-z]+", str(path.relative_to(folder)).lower()))
