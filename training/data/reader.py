"""Find a data set's files, read a split and check that its content is the known one."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from training.data import coil20, prepared
from training.data.class_folders import read_class_folders
from training.data.files import Arrays, fetch, sha256, unordered_sha256
from training.data.table import DATASETS, Content, Images
from zoo.errors import MissingFileError, UnknownNameError, ZooError


def read(
    name: str, split: str, data_dir: str | Path, *, seed: int = 0, download: bool = False
) -> Images:
    """Read one split of a data set: into memory, or, where it is too large, open it.

    Sources, in this order: the repacked files, a folder of tensorflow-datasets and the original
    files in `data_dir/NAME` (or in `data_dir`, when that is the set's own folder); with
    `download=True`, then the set's home on the internet. Whatever the source, size and content are
    checked against `DATASETS`. The order is the official one, save for MNIST and ImageNet from
    tensorflow-datasets, which keep that library's order.

    Args:
        name: a key of `DATASETS`, or a folder of `data_dir` that holds a folder per class; see
            `training.data.class_folders`.
        split: "train" or "test"; of "imagenet2012", "test" are the 50,000 validation images.
        data_dir: the folder that holds the sets' folders, or the set's own folder.
        seed: of the random 70/30 split of COIL-20, which has no official one; the two splits of
            one seed are disjoint and together are the whole set. Other sets ignore it.
        download: whether to fetch the set when no file of it is found.

    Raises:
        ZooError: unknown name or split; a broken file; content that is not the known one.
        MissingFileError: nothing found, and `download` is false or cannot be done by a program.
        OSError: a download failed.
    """
    folder = _absolute(data_dir) / name
    if name not in DATASETS and name and folder.is_dir():
        _known(f"split of {name}", split, ("train", "test"))
        return read_class_folders(folder, split)
    dataset = DATASETS[_known("data set", name, DATASETS)]
    _known(f"split of {name}", split, dataset.sizes)
    part = split if split in dataset.content else "all"
    if dataset.shape is None:
        return _opened(name, part, _absolute(data_dir), download)
    (x, y), labels = stored(name, part, data_dir, download=download)
    if part == "all":
        index = coil20.random_split(len(y), dataset.sizes["train"], split, seed)
        x, y = x[index], y[index]
    x = x.reshape(-1, *dataset.shape)
    if dataset.white != 255:
        x = (x.astype(np.float64) / dataset.white * 255).astype(np.float32)
    return Images(x, y.astype(np.int64), labels)


def stored(
    name: str, part: str, data_dir: str | Path, *, prepared_too: bool = True, download: bool = False
) -> tuple[Arrays, tuple[str, ...]]:
    """The checked arrays of a stored part, from the first source that is there, and class names.

    Args:
        name: a key of `DATASETS` whose sets are read into memory.
        part: a key of the row's `content`.
        data_dir, download: as in `read`.
        prepared_too: whether folders of tensorflow-datasets count as sources.
    """
    dataset, data_dir = DATASETS[name], _absolute(data_dir)
    content = dataset.content[part]
    looked: list[str] = []

    if dataset.repacked is not None:
        for folder in (data_dir / name, data_dir):
            pattern = dataset.pattern.format(part=part)
            looked.append(str(folder / pattern))
            if any(folder.glob(pattern)):
                return checked(dataset.repacked(folder, part), content, folder), dataset.labels

    if prepared_too:
        version_folder = _prepared(name, data_dir, looked, download)
        if version_folder is not None:
            arrays, ordered = prepared.read(version_folder, dataset.tfds_splits.get(part, part))
            labels = dataset.labels or prepared.class_names(version_folder)
            return checked(arrays, content, version_folder, ordered), labels

    if dataset.original is not None:
        url = dataset.urls[part]
        file_name = url.rpartition("/")[2]
        for path in (data_dir / name / file_name, data_dir / file_name):
            looked.append(str(path))
            if path.is_file():
                return checked(dataset.original(path), content, path), dataset.labels
        if download:
            path = _home(name, data_dir) / file_name
            arrays = fetch(url, path, lambda p: checked(dataset.original(p), content, p))
            return arrays, dataset.labels

    raise _nothing(name, part, looked)


def checked(arrays: Arrays, content: Content, origin: Path | str, ordered: bool = True) -> Arrays:
    """The arrays, if their content is the known one; `origin` is named in the error."""
    x, y = arrays
    _check_size(len(x), len(y), content, origin)
    if ordered:
        received, known = (sha256(x), sha256(y)), (content.x_sha256, content.y_sha256)
    else:
        received, known = (unordered_sha256(x, y),), (content.unordered_sha256,)
    if content.x_sha256 is not None and received != known:
        raise ZooError(
            f"{origin}: the content is not that of the known data set (its SHA-256 differs); "
            "replace the files by fresh copies"
        )
    return arrays


def _opened(name: str, part: str, data_dir: Path, download: bool) -> Images:
    dataset, looked = DATASETS[name], []
    folder = _prepared(name, data_dir, looked, download, file_format="array_record")
    if folder is None:
        raise _nothing(name, part, looked)
    x, y = prepared.pictures(folder, dataset.tfds_splits.get(part, part))
    _check_size(len(x), len(y), dataset.content[part], folder)
    return Images(x, y, dataset.labels or prepared.class_names(folder))


def _prepared(
    name: str, data_dir: Path, looked: list[str], download: bool, file_format: str | None = None
) -> Path | None:
    """The folder in which tensorflow-datasets has the set; where was looked goes to `looked`."""
    for folder in (data_dir / name, data_dir):
        looked.append(str(folder / "VERSION" / "dataset_info.json"))
        if version_folder := prepared.find(folder, name):
            return version_folder
    if download and DATASETS[name].tfds:
        return prepared.download(name, _home(name, data_dir).parent, file_format)
    return None


def _absolute(folder: str | Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(folder)))


def _home(name: str, data_dir: Path) -> Path:
    return data_dir if data_dir.name == name else data_dir / name


def _known(kind: str, name: str, valid: Collection[str]) -> str:
    if name not in valid:
        raise UnknownNameError(kind, name, valid)
    return name


def _check_size(images: int, labels: int, content: Content, origin: Path | str) -> None:
    if (images, labels) != (content.size, content.size):
        raise ZooError(
            f"{origin}: {images} images and {labels} labels, not {content.size}; files are "
            "missing or not of this data set"
        )


def _nothing(name: str, part: str, looked: list[str]) -> MissingFileError:
    return MissingFileError(
        f"no files of {name} ({part}); looked for {', '.join(looked)}. Give the folder that holds "
        f"{name!r} as data_dir, or allow the download (download=True)"
    )
