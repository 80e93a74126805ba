"""The files of a folder of photos, one sub-folder per class, and what of it is left out."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import MissingFileError, ZooError


@dataclass(frozen=True)
class Listing:
    """What is in a folder of classes.

    Attributes:
        folder: Path.
        classes: tuple of str, names of the sub-folders that hold files, sorted.
        files: tuple of (name, class, size, time): path below `folder`, number of the class, bytes,
            time of the last change in nanoseconds; sorted by class and name.
        notes: tuple of str, what is left out and why, a sentence each.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int, int, int], ...]
    notes: tuple[str, ...]


def read_listing(folder: str | os.PathLike) -> Listing:
    """Lists the files of each class; none is opened.

    Hidden files and folders, files beside the classes and folders within a class are left out.

    Args:
        folder: str or path, which holds one folder per class.

    Returns:
        Listing.

    Raises:
        ZooError: there is no such folder, it holds fewer than two classes, or two folders whose
            names differ in case alone.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cats/1.jpg", "cats/2.jpg", "dogs/1.jpg"):
    ...         (Path(folder) / name).parent.mkdir(exist_ok=True)
    ...         _ = (Path(folder) / name).write_text("")
    ...     listing = read_listing(folder)
    >>> listing.classes, len(listing.files)
    (('cats', 'dogs'), 3)
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise MissingFileError(f"{folder} {what}. Give a folder that holds one folder per class.")
    try:
        return _read(folder)
    except OSError as error:
        raise ZooError(f"{error.filename or folder} cannot be read: {error.strerror}.") from error


def _read(folder: Path) -> Listing:
    places, loose, hidden = _contents(folder)
    _refuse_equal_names(folder, [place.name for place in places])
    notes = _left_out(loose, "beside the folders of the classes")
    names: list[str] = []
    files: list[tuple[str, int, int, int]] = []
    below: list[Path] = []
    for place in places:
        inner, own, more = _contents(place)
        below, hidden = below + inner, hidden + more
        if not own:
            holds = f"only folders, such as {inner[0].name}," if inner else "no files"
            notes.append(f"{place}: holds {holds} and is left out.")
            continue
        for path in own:
            status = path.stat()
            name = f"{place.name}/{path.name}"
            files.append((name, len(names), status.st_size, status.st_mtime_ns))
        names.append(place.name)
    if len(names) < 2:
        raise ZooError(_too_few(folder, names, loose, below))
    notes += _left_out([path for path in below if path.parent.name in names], "within a class")
    notes += _left_out(hidden, "hidden")
    return Listing(folder, tuple(names), tuple(files), tuple(notes))


def _contents(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Folders, files and hidden ones of either kind, sorted."""
    visible: dict[str, list[Path]] = {"folders": [], "files": [], "hidden": []}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__MACOSX")):
            visible["hidden"].append(path)
        elif path.is_dir():
            visible["folders"].append(path)
        elif path.is_file():  # no pipe, no link to nowhere
            visible["files"].append(path)
        else:
            visible["hidden"].append(path)
    return visible["folders"], visible["files"], visible["hidden"]


def _refuse_equal_names(folder: Path, names: Iterable[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise ZooError(
                f"{folder} holds two folders whose names differ in case alone: {other} and {name}. "
                "Put their pictures into one, or rename one, so that each class has a name."
            )


def _too_few(folder: Path, names: list[str], loose: Sequence[Path], below: Sequence[Path]) -> str:
    received = f"Received: {', '.join(names) or 'none'}"
    if below:
        received += f". Perhaps the classes are in {below[0].parent}: give that folder"
    elif loose:
        received += f", and {len(loose)} files beside them: put each into the folder of its class"
    return f"{folder} must hold at least two folders of pictures, one per class. {received}."


def _left_out(paths: Sequence[Path], why: str) -> list[str]:
    return [f"{first(map(str, paths))}: {why}, left out."] if paths else []


def first(names: Iterable[str], count: int = 3) -> str:
    """The first names, and how many more there are.

    Args:
        names: iterable of str.
        count: int, names at most.
    """
    names = list(names)
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
