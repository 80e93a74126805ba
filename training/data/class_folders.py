"""A folder with one folder per class as a data set: any pictures of one's own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.pictures import Pictures
from training.data.table import Images
from zoo.errors import MissingFileError, ZooError
from zoo.tuning.listing import read_listing
from zoo.tuning.split import stratified

TEST_FOLDERS = ("test", "val", "validation")
TEST_SHARE = 0.2


def read_class_folders(folder: Path, split: str) -> Images:
    """Reads FOLDER/{train,test}/CLASS/PICTURE, or FOLDER/CLASS/PICTURE, cut at random.

    "val" or "validation" may stand for "test". Without them, a fifth of each class is the test
    set, always the same. A picture of the test set that is in the training set too is left out of
    the latter. Pictures are decoded when they are asked for; classes are in the order of their
    names, files in that of theirs.

    Args:
        folder: of the set.
        split: "train" or "test".

    Raises:
        MissingFileError: there is a folder "train" and none to test on.
        ZooError: fewer than two classes; the two splits have different ones.
    """
    if not (folder / "train").is_dir():
        part = _Part.of(folder)
        kept = np.sort(np.unique(part.digests, return_index=True)[1])  # one of equal files
        train, test = stratified(part.y[kept], [part.digests[i] for i in kept], TEST_SHARE, seed=0)
        return part.take(kept[train if split == "train" else test])
    tests = [folder / name for name in TEST_FOLDERS if (folder / name).is_dir()]
    if not tests:
        raise MissingFileError(
            f"{folder} holds 'train' and none of {TEST_FOLDERS}. Add the pictures to test on, or "
            "put the folders of the classes directly into it, to be cut at random."
        )
    test = _Part.of(tests[0])
    if split == "test":
        return test.take(np.arange(len(test.y)))
    train = _Part.of(folder / "train")
    if train.labels != test.labels:
        names = sorted(set(train.labels) ^ set(test.labels))
        raise ZooError(f"{folder}: classes of one split alone: {', '.join(names[:5])}")
    return train.take(np.flatnonzero(~np.isin(train.digests, test.digests)))


@dataclass(frozen=True)
class _Files(Sequence):
    """Files, read when they are asked for."""

    paths: Sequence[Path]

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        return self.paths[i].read_bytes()


@dataclass(frozen=True)
class _Part:
    """All pictures of one folder of classes, with what tells equal files."""

    folder: Path
    files: _Files
    y: np.ndarray
    labels: tuple[str, ...]
    digests: np.ndarray

    @classmethod
    def of(cls, folder: Path) -> "_Part":
        listing = read_listing(folder)
        files = _Files([folder / name for name, *_ in listing.files])
        digests = np.array([hashlib.sha256(data).hexdigest() for data in files])
        y = np.array([label for _, label, *_ in listing.files], "int64")
        return cls(folder, files, y, listing.classes, digests)

    def take(self, index: np.ndarray) -> Images:
        return Images(
            Pictures(self.files, str(self.folder)).take(index), self.y[index], self.labels
        )
