"""The data sets: what each one is, where it comes from and the hashes of its content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.data import cifar10, coil20, mnist, tiny_imagenet, usps
from training.data.files import Arrays
from training.data.pictures import Pictures


@dataclass(frozen=True)
class Images:
    """One split of a data set.

    Attributes:
        x: (N, H, W, C) in memory, uint8 of 0 to 255, or float32 on the same scale where the source
            is finer than 8 bits (USPS); or N `Pictures` on disk, each of a size of its own.
        y: (N,), int64, indices into `labels`.
        labels: the names of the classes.
    """

    x: np.ndarray | Pictures
    y: np.ndarray
    labels: tuple[str, ...]

    def take(self, index: np.ndarray) -> "Images":
        """Some of the images, in the order of `index`."""
        x = self.x[index] if isinstance(self.x, np.ndarray) else self.x.take(index)
        return Images(x, self.y[index], self.labels)


@dataclass(frozen=True)
class Content:
    """The content of a stored part, in its official order and its stored integer type.

    Attributes:
        size: number of images.
        x_sha256: of the images' bytes, (N, H, W[, C]), C order, little-endian; None where it is
            not known, then only the size is checked.
        y_sha256: of the labels' bytes, one per label.
        unordered_sha256: of the (image, label) pairs in no order, for sources that lose the order.
    """

    size: int
    x_sha256: str | None = None
    y_sha256: str | None = None
    unordered_sha256: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One row of `DATASETS`.

    Attributes:
        sizes: number of images by split, "train" and "test".
        content: by stored part: the splits, or "all" where the split is made by seed.
        labels: the names of the classes; empty where the files themselves name them.
        shape: (H, W, C) of an image; None for pictures that stay on disk, of many sizes.
        pattern: the files, with {part}, that show a repacked folder.
        repacked: reads a part of such a folder: (folder, part) to stored images and labels.
        white: the greatest stored value, 255 in `Images.x`.
        tfds: whether tensorflow-datasets itself has this set, under the same name.
        tfds_splits: what a part is called there, if not as here.
        urls: the original file of each part.
        original: reads such a file.
        terms: what the set's owners allow, for the cards of what was trained on it.
        label_ids: identifiers of the classes in the set's own naming, where it has one.
    """

    sizes: Mapping[str, int]
    content: Mapping[str, Content]
    labels: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    pattern: str = ""
    repacked: Callable[[Path, str], Arrays] | None = None
    white: int = 255
    tfds: bool = False
    tfds_splits: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    original: Callable[[Path], Arrays] | None = None
    terms: str = ""
    label_ids: tuple[str, ...] = ()


_LIBSVM = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"
_COLUMBIA = "https://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20/"
_DIGITS = tuple("0123456789")

DATASETS: dict[str, DataSet] = {
    "cifar10": DataSet(
        labels=cifar10.LABELS,
        shape=(32, 32, 3),
        sizes={"train": 50000, "test": 10000},
        content={
            "train": Content(
                50000,
                "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
                "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
            ),
            "test": Content(
                10000,
                "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
                "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
            ),
        },
        pattern="{part}_*.webp",
        repacked=cifar10.repacked,
        tfds=True,
    ),
    "cifar100": DataSet(
        shape=(32, 32, 3),
        sizes={"train": 50000, "test": 10000},
        content={"train": Content(50000), "test": Content(10000)},
        tfds=True,
    ),
    "mnist": DataSet(
        labels=_DIGITS,
        shape=(28, 28, 1),
        sizes={"train": 60000, "test": 10000},
        content={
            "train": Content(
                60000,
                "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
                "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
                "54e1ab866c9484947dd4821c52bb7a43938f555d6b046be6af55247f8e6ffc64",
            ),
            "test": Content(
                10000,
                "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
                "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
                "97b756d55950f1841ebd48df7379b9b2fc87a10d63e08d6213dad41d564e8508",
            ),
        },
        pattern="mnist.npz.xz",
        repacked=mnist.repacked,
        tfds=True,
    ),
    "usps": DataSet(
        labels=_DIGITS,
        shape=(16, 16, 1),
        sizes={"train": 7291, "test": 2007},
        content={
            "train": Content(
                7291,
                "4cc10903414bb4be4b10f0203b73ceab02be2ac780faa3aafea3cfe226ec62fc",
                "ee5027fd47b76715ac18ca27e72fa1332bde98e0b8ce593b503bb2bdb6c03da0",
            ),
            "test": Content(
                2007,
                "c8d20aa8f19bae84192211340054be91bc13731398616889e78aef4ce6d72f78",
                "0b8b792b8ca1c5c704fd9d5bbd1b261623a359e6c8c65b23db428257beea7800",
            ),
        },
        pattern="usps.npz",
        repacked=usps.repacked,
        white=2000,
        urls={"train": _LIBSVM + "usps.bz2", "test": _LIBSVM + "usps.t.bz2"},
        original=usps.original,
    ),
    "coil20": DataSet(
        labels=coil20.LABELS,
        shape=(128, 128, 1),
        sizes={"train": 1008, "test": 432},
        content={
            "all": Content(
                1440,
                "7274cbacb79ea6c57340827c9f9301745a8e9b3173dea4aa828e00b49c42946c",
                "a22ff6e9fffd9ab9e6642d754011ea1bbd4849f7ef87061d969a97c0954a0825",
            ),
        },
        pattern="coil20.png",
        repacked=coil20.repacked,
        tfds_splits={"all": "train"},
        urls={"all": _COLUMBIA + "coil-20-proc.zip"},
        original=coil20.original,
    ),
    "tiny_imagenet": DataSet(
        labels=tiny_imagenet.LABELS,
        label_ids=tiny_imagenet.SYNSETS,
        terms=tiny_imagenet.TERMS,
        shape=(64, 64, 3),
        sizes={"train": 100_000, "test": 10_000},
        content={
            "train": Content(
                100_000,
                "f5964469a6408de49502ada918c7223fe45e2e123f1c343e0ffd0c091b55e499",
                "ea210d0631a1703a399d3ce6b0385a74205edbc55b873e2ad7d7fff6dd1bd8e3",
            ),
            "test": Content(
                10_000,
                "c2fd10cde1427ad6f16f45c978a0060bfd8f664727f6ad977ea5590280d57b8f",
                "a6d0aa8d4df540f2af8c5506c471ed46dafa4e874e00f46cc8000022336ccfd4",
            ),
        },
        pattern=f"{tiny_imagenet.FOLDER}/wnids.txt",
        repacked=tiny_imagenet.official,
        tfds_splits={"test": "validation"},  # its own test set has no labels
    ),
    "imagenet2012": DataSet(
        sizes={"train": 1281167, "test": 50000},
        content={"train": Content(1281167), "test": Content(50000)},
        tfds=True,
        tfds_splits={"test": "validation"},  # the labels of its own test set are not public
    ),
}


def names() -> list[str]:
    """The data sets' names."""
    return list(DATASETS)
