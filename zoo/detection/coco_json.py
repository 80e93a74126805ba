"""Annotations in COCO's JSON: where they are in a folder, and which of them can be used."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zoo.detection.masks import run_lengths
from zoo.detection.problems import Problems, decoding
from zoo.errors import ZooError

# The words in the names of files and folders that tell a split.
WORDS = {"train": ("train", "training"), "validation": ("val", "valid", "validation")}

# Annotators round; a box further out is an error.
OUTSIDE_BY = 1.0


@dataclass(frozen=True)
class Content:
    """A file of annotations, without what cannot be used.

    Attributes:
        rows: (entry of a picture, annotations of its objects) in the file's order. An entry has
            "id", "path", "height" and "width"; an annotation "bbox" (left, top, width, height),
            "label" (index into `labels`), "iscrowd", "area" and "segmentation", None where there
            is none.
        labels: names of the categories, by ascending number.
        category_ids: their numbers.
        outlines: whether any object has one.
        problems: of everything else.
    """

    rows: list[tuple[dict[str, Any], list[dict[str, Any]]]]
    labels: tuple[str, ...]
    category_ids: tuple[int, ...]
    outlines: bool
    problems: Problems


def find(folder: Path, split: str) -> tuple[Path, list[Path]]:
    """The annotations of a split in any folder, and where its pictures may be.

    A split is told by a word in the name of the JSON file or of its folder: "train"; "val",
    "valid" or "validation". A folder's only JSON file is of the training set, whatever its name.

    Raises:
        FileNotFoundError: there is none.
        ZooError: there are several.
    """
    found = sorted(path for depth in ("*.json", "*/*.json") for path in folder.glob(depth))
    # COCO's archive also holds captions and keypoints of the same pictures.
    found = [path for path in found if path.name.startswith("instances_")] or found
    fitting = [path for path in found if _words(path, folder) & set(WORDS[split])]
    if not fitting and split == "train" and len(found) == 1:
        fitting = found
    if not fitting:
        listed = ", ".join(str(path.relative_to(folder)) for path in found[:8]) or "no JSON file"
        raise FileNotFoundError(
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


def _words(path: Path, folder: Path) -> set[str]:
    return set(re.findall("[a-z]+", str(path.relative_to(folder)).lower()))


def read(path: Path, roots: Sequence[Path]) -> Content:
    """Read and check annotations.

    Args:
        path: of the JSON file.
        roots: folders where the pictures may be; the first that has most of them is taken.

    Raises:
        ZooError: the file is not of COCO's kind, or nothing in it can be used.
    """
    with decoding(path):
        content = json.loads(path.read_text("utf-8"))
        images, annotations = content["images"], content["annotations"]
        categories = sorted(content["categories"], key=lambda category: category["id"])
        ids = tuple(category["id"] for category in categories)
        labels = tuple(str(category["name"]) for category in categories)
        if len(set(ids)) < len(ids):
            raise ZooError(f"{path} has several categories of one id. Received: {list(ids)}")
        problems = Problems(path)
        pictures = _pictures(images, roots, problems)
        left_out = {image.get("id") for image in images} - set(pictures) - {None}
        label_of = {category_id: i for i, category_id in enumerate(ids)}
        objects = defaultdict(list)
        outlines = any(annotation.get("segmentation") for annotation in annotations)
        for i, annotation in enumerate(annotations):
            if annotation.get("image_id") in left_out:
                continue  # with its picture, which is reported
            checked = _Annotation(annotation, i, problems)
            if row := checked.usable(pictures, label_of, outlines):
                objects[annotation["image_id"]].append(row)
    if not pictures or (annotations and not objects):
        raise ZooError(f"{path} holds nothing that can be used.\n{problems}")
    rows = [(picture, objects[number]) for number, picture in pictures.items()]
    return Content(rows, labels, ids, outlines, problems)


def _pictures(
    images: Sequence[dict], roots: Sequence[Path], problems: Problems
) -> dict[int, dict[str, Any]]:
    """The usable entries by id."""
    there = _Listing()
    names = [image["file_name"] for image in images if image.get("file_name")]
    root = max(roots, key=lambda root: sum(there.has(root / name) for name in names))
    found = {}
    for i, image in enumerate(images):
        number, name = image.get("id"), image.get("file_name")
        place = f"picture {number}: {name}"
        if number is None or not name:
            problems.add("picture without id or file_name, left out", f"entry {i} of images")
        elif number in found:
            problems.add("picture whose id was given before, left out", place)
        elif not there.has(root / name):
            problems.add(f"picture that is missing in {root}, left out", place)
        elif size := _size(image, root / name):
            height, width = size
            found[number] = {"id": number, "path": root / name, "height": height, "width": width}
        else:
            problems.add("picture that cannot be opened, left out", place)
    return found


def _size(image: dict, path: Path) -> tuple[int, int] | None:
    """(height, width), of the entry or else of the file."""
    size = image.get("height"), image.get("width")
    if all(isinstance(side, int) and side > 0 for side in size):
        return size
    try:
        with decoding(path), Image.open(path) as picture:
            return picture.height, picture.width
    except ZooError:
        return None


class _Listing:
    """Which files there are, each folder read once: asking for 118,287 files is slow."""

    def __init__(self):
        self.folders: dict[Path, set[str]] = {}

    def has(self, path: Path) -> bool:
        folder = path.parent
        if folder not in self.folders:
            exists = folder.is_dir()
            self.folders[folder] = {p.name for p in folder.iterdir()} if exists else set()
        return path.name in self.folders[folder]


@dataclass
class _Annotation:
    """One entry of "annotations" under check."""

    entry: dict[str, Any]
    index: int
    problems: Problems

    def usable(
        self, pictures: dict[int, dict], label_of: dict[int, int], outlines: bool
    ) -> dict[str, Any] | None:
        """As in `Content.rows`, or None."""
        entry = self.entry
        missing = [key for key in ("image_id", "category_id", "bbox") if entry.get(key) is None]
        if missing:
            return self._add("object without a needed key, left out", ", ".join(missing))
        if (picture := pictures.get(entry["image_id"])) is None:
            return self._add("object of a picture that is not listed, left out", entry["image_id"])
        if (label := label_of.get(entry["category_id"])) is None:
            return self._add("object of an unknown category, left out", entry["category_id"])
        if (box := self._box(picture)) is None:
            return None
        outline = entry.get("segmentation") or None
        if outlines and (wrong := _wrong(outline, picture)):
            self._add("object whose outline cannot be used, taken without", wrong)
            outline = None
        return {
            "bbox": box,
            "label": label,
            "iscrowd": bool(entry.get("iscrowd", 0)),
            "area": float(entry.get("area") or box[2] * box[3]),
            "segmentation": outline,
        }

    def _box(self, picture: dict) -> list[float] | None:
        box = self.entry["bbox"]
        numbers = isinstance(box, list) and all(isinstance(v, int | float) for v in box)
        if not numbers or len(box) != 4 or not all(map(math.isfinite, box)):
            return self._add("box that is not four finite numbers, left out", box)
        x, y, width, height = box
        if width <= 0 or height <= 0:
            return self._add("box of zero area, left out", box)
        left, right = (min(max(v, 0), picture["width"]) for v in (x, x + width))
        top, bottom = (min(max(v, 0), picture["height"]) for v in (y, y + height))
        size = f"{box} in {picture['width']} x {picture['height']} pixels"
        if right <= left or bottom <= top:
            return self._add("box outside its picture, left out", size)
        if max(left - x, top - y, x + width - right, y + height - bottom) > OUTSIDE_BY:
            self._add("box that leaves its picture, clipped", size)
            return [left, top, right - left, bottom - top]
        return box

    def _add(self, kind: str, what: object) -> None:
        number = self.entry.get("id")
        name = f"entry {self.index} of annotations" if number is None else f"annotation {number}"
        picture = self.entry.get("image_id")
        self.problems.add(kind, f"{name} (picture {picture}): {what}")


def _wrong(outline: Any, picture: dict[str, Any]) -> str:
    """What keeps an outline from use; empty where nothing does."""
    if isinstance(outline, list):
        for polygon in outline:
            if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
                return "a polygon without 3 corners"
            if not all(isinstance(v, int | float) and math.isfinite(v) for v in polygon):
                return "a corner that is not finite"
        return ""
    if not isinstance(outline, dict):
        return "there is none"
    try:
        run_lengths(outline)
    except ZooError as error:
        return str(error)
    size = [picture["height"], picture["width"]]
    return "" if list(outline["size"]) == size else f"size {outline['size']}, not {size}"
