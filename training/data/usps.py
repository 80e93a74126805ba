"""USPS handwritten digits (Hull 1994): 7,291 and 2,007 gray images of 16 x 16 pixels.

The values are finer than 8 bits: -1 to 1 in steps of 0.001, stored here as integers 0 to 2000.
"""

import bz2
from pathlib import Path

import numpy as np

from training.data.files import Arrays, decoding


def repacked(folder: Path, split: str) -> Arrays:
    """Images (N, 16, 16) uint16 of 0 to 2000, and labels, from usps.npz."""
    path = folder / "usps.npz"
    with decoding(path), np.load(path) as file:
        return file[f"x_{split}"], file[f"y_{split}"]


def parse_libsvm(text: str) -> Arrays:
    """Images (N, 16, 16) uint16 of 0 to 2000, and labels 0 to 9, from LIBSVM's text.

    A line is `label index:value …` with labels 1 to 10, indices 1 to 256 in row-major order and
    values in [-1, 1]; an index that is left out has the value 0, as everywhere in that format.

    Raises:
        ValueError: a line does not follow this format.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    values = np.zeros((len(lines), 256))
    labels = np.zeros(len(lines), np.uint8)
    for row, (label, *pairs) in enumerate(lines):
        number = int(float(label))
        if not 1 <= number <= 10:
            raise ValueError(f"line {row + 1}: the label {label} is not 1 to 10")
        labels[row] = number - 1
        for pair in pairs:
            index, _, value = pair.partition(":")
            if not 1 <= int(index) <= 256 or not -1 <= float(value) <= 1:
                raise ValueError(f"line {row + 1}: {pair} is not 1..256:[-1, 1]")
            values[row, int(index) - 1] = float(value)
    gray = np.rint((values + 1) * 1000).astype(np.uint16)
    return gray.reshape(-1, 16, 16), labels


def original(path: Path) -> Arrays:
    """What `parse_libsvm` gives for a bz2-compressed file (usps.bz2, usps.t.bz2)."""
    with decoding(path):
        return parse_libsvm(bz2.decompress(path.read_bytes()).decode("ascii"))
