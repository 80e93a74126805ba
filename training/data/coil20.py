"""COIL-20, processed (Nene, Nayar and Murase 1996): 20 objects, 72 views 5 degrees apart.

Gray images of 128 x 128 pixels in the order object, view. There is no official split; the MaxNorm
PlainNets paper (Oyedotun et al., section III) takes a random 70/30 one, as `random_split` does.
"""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.files import Arrays, decoding, grid

VIEWS = 72
LABELS = tuple(f"obj{number}" for number in range(1, 21))  # as in the original file names
_MEMBER = re.compile(r"(?:^|/)obj(\d+)__(\d+)\.png$")


def sheet(path: Path, size: int = 128, views: int = VIEWS) -> Arrays:
    """Images (N, size, size) uint8 of a PNG with one row per object and one column per view."""
    with decoding(path), Image.open(path) as image:
        x = grid(np.asarray(image.convert("L")), size, size)
    return x, (np.arange(len(x)) // views).astype(np.uint8)


def repacked(folder: Path, split: str) -> Arrays:
    """All images (1440, 128, 128) uint8 and their labels from coil20.png (`split` is "all")."""
    return sheet(folder / "coil20.png")


def original(path: Path) -> Arrays:
    """Images (N, 128, 128) uint8 and labels of coil-20-proc.zip: members obj1__0.png, …

    The objects count from 1, the views from 0; the order is object, view, as numbers.
    """
    with decoding(path), zipfile.ZipFile(path) as archive:
        members = {}
        for name in archive.namelist():
            if match := _MEMBER.search(name):
                members[int(match[1]), int(match[2])] = name
        if not members:
            raise ValueError("no member is named like obj1__0.png")
        keys = sorted(members)
        images = [Image.open(io.BytesIO(archive.read(members[key]))) for key in keys]
        x = np.stack([np.asarray(image.convert("L")) for image in images])
    return x, np.array([number - 1 for number, _ in keys], np.uint8)


def random_split(total: int, train: int, split: str, seed: int) -> np.ndarray:
    """Sorted indices of one side of a random split of `total` images, the same for a given seed.

    `train` images go to "train", the others to "test". The bit generator is named, not NumPy's
    default, so that a later default changes nothing.
    """
    order = np.random.Generator(np.random.PCG64(seed)).permutation(total)
    return np.sort(order[:train] if split == "train" else order[train:])
