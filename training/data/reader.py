"""Find a data set's files, read a split and check that its content is the known one."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from training.data import coil20, prepared
from training.data.files import Arrays, fetch, sha256, unordered_sha256
from training.data.table import DATASETS, Content, DataSet, Images
from zoo.errors import UnknownNameError, ZooError


def read(
    name: str, split: str, data_dir: str | Path, *, seed: int = 0, download: bool = False
) -> Images:
    """Read one split of a data set into memory.

    Sources, in this order: the repacked files, a folder of tensorflow-datasets and the original
    files in `data_dir/NAME` (or in `data_dir`, when that is the set's own folder); with
    `download=True`, then the set's home on the internet. Whatever the source, size and content are
    checked against `DATASETS`. The order is the official one, save for MNIST from
    tensorflow-datasets, which keeps that library's order.

    Args:
        name: "cifar10", "mnist", "usps" or "coil20".
        split: "train" or "test".
        data_dir: the folder that holds the sets' folders, or the set's own folder.
        seed: of the random 70/30 split of COIL-20, which has no official one; the two splits of
            one seed are disjoint and together are the whole set. Other sets ignore it.
        download: whether to fetch the set when no file of it is found.

    Raises:
        ValueError: unknown name or split; a broken file; content that is not the known one.
        FileNotFoundError: nothing found, and `download` is false.
        OSError: a download failed.
        ImportError: only tensorflow-datasets can give the set, and it is not installed.
    """
    dataset = DATASETS[_known("data set", name, DATASETS)]
    _known(f"split of {name}", split, dataset.sizes)
    part = split if split in dataset.content else "all"
    folder = Path(os.path.abspath(Path(data_dir).expanduser()))
    x, y = _stored(name, dataset, part, folder, download)
    if part == "all":
        index = coil20.random_split(len(y), dataset.sizes["train"], split, seed)
        x, y = x[index], y[index]
    x = x.reshape(-1, *dataset.shape)
    if dataset.white != 255:
        x = (x.astype(np.float64) / dataset.white * 255).astype(np.float32)
    return Images(x, y.astype(np.int64), dataset.labels)


def _known(kind: str, name: str, valid: Collection[str]) -> str:
    if name not in valid:
        raise UnknownNameError(kind, name, valid)
    return name


def _stored(name: str, dataset: DataSet, part: str, data_dir: Path, download: bool) -> Arrays:
    """The checked arrays of a stored part, from the first source that is there."""
    content = dataset.content[part]
    home = data_dir if data_dir.name == name else data_dir / name
    looked = []

    for folder in (data_dir / name, data_dir):
        pattern = dataset.pattern.format(part=part)
        looked.append(str(folder / pattern))
        if any(folder.glob(pattern)):
            return _checked(dataset.repacked(folder, part), content, folder)

    if dataset.tfds:
        for folder in (data_dir / name, data_dir):
            looked.append(str(folder / "VERSION" / "dataset_info.json"))
            if version_folder := prepared.find(folder, name):
                return _from_tfds(version_folder, part, content)
        if download:
            return _from_tfds(prepared.download(name, home.parent), part, content)

    if dataset.original is not None:
        url = dataset.urls[part]
        file_name = url.rpartition("/")[2]
        for path in (data_dir / name / file_name, data_dir / file_name):
            looked.append(str(path))
            if path.is_file():
                return _checked(dataset.original(path), content, path)
        if download:
            return fetch(
                url, home / file_name, lambda path: _checked(dataset.original(path), content, path)
            )

    raise FileNotFoundError(
        f"no files of {name} ({part}); looked for {', '.join(looked)}. Give the folder that holds "
        f"{name!r} as data_dir, or allow the download (download=True)"
    )


def _from_tfds(version_folder: Path, part: str, content: Content) -> Arrays:
    arrays, ordered = prepared.read(version_folder, part)
    return _checked(arrays, content, version_folder, ordered)


def _checked(arrays: Arrays, content: Content, origin: Path | str, ordered: bool = True) -> Arrays:
    """The arrays, if their content is the known one; `origin` is named in the error."""
    x, y = arrays
    if (len(x), len(y)) != (content.size, content.size):
        raise ZooError(
            f"{origin}: {len(x)} images and {len(y)} labels, not {content.size}; files are "
            "missing or not of this data set"
        )
    if ordered:
        same = (sha256(x), sha256(y)) == (content.x_sha256, content.y_sha256)
    else:
        same = unordered_sha256(x, y) == content.unordered_sha256
    if not same:
        raise ZooError(
            f"{origin}: the content is not that of the known data set (its SHA-256 differs); "
            "replace the files by fresh copies"
        )
    return arrays
