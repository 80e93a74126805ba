"""MNIST (LeCun, Cortes and Burges 1998): 70,000 gray digits of 28 x 28 pixels."""

import io
import lzma
from pathlib import Path

import numpy as np

from training.data.files import Arrays, decoding


def repacked(folder: Path, split: str) -> Arrays:
    """Images (N, 28, 28) uint8 and labels from mnist.npz.xz: x_train, y_train, x_test, y_test."""
    path = folder / "mnist.npz.xz"
    with decoding(path), np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as file:
        return file[f"x_{split}"], file[f"y_{split}"]
