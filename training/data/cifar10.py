"""CIFAR-10 (Krizhevsky 2009): 60,000 colour photos of 32 x 32 pixels in 10 classes."""

from pathlib import Path

import numpy as np
from PIL import Image

from training.data.files import Arrays, decoding, grid
from zoo.errors import ZooError

LABELS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def sheet(path: Path) -> np.ndarray:
    """The tiles (N, 32, 32, 3), uint8, of one lossless WebP sheet, in row-major order."""
    with decoding(path), Image.open(path) as image:
        return grid(np.asarray(image.convert("RGB")), 32, 32)


def repacked(folder: Path, split: str) -> Arrays:
    """Images (N, 32, 32, 3) uint8 of SPLIT_00.webp, SPLIT_01.webp, … and labels of labels.npz.

    labels.npz holds `y_train`, `y_test` and `classes`, the names by label.

    Raises:
        ZooError: a file is broken, or `classes` is not this module's LABELS.
    """
    path = folder / "labels.npz"
    with decoding(path), np.load(path) as file:
        y, classes = file[f"y_{split}"], tuple(file["classes"].tolist())
    if classes != LABELS:
        raise ZooError(f"{path}: the classes must be {LABELS}. Received: {classes}")
    x = np.concatenate([sheet(path) for path in sorted(folder.glob(f"{split}_*.webp"))])
    return x, y
