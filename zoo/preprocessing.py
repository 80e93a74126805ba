"""From pictures to what a model takes: the one place for resize, crop and scaling."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preprocess:
    """How a checkpoint's images are prepared. Part of its card.

    Attributes:
        size: (height, width) of the array that the model takes.
        channels: 1 (grey) or 3 (RGB).
        resize: length in pixels of the shorter side after resizing, before the centre crop of
            `size`.
        interpolation: "bilinear", "bicubic", "lanczos" or "nearest", with antialiasing.
        scale, mean, std: y = (x * scale - mean) / std for x in 0..255; mean and std have one
            entry per channel.
    """

    size: tuple[int, int]
    channels: int
    resize: int
    interpolation: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


def normalize(images, how: Preprocess):
    """(…, channels) on the scale 0..255 -> what the model takes; NumPy arrays or tensors."""
    return (images * how.scale - _row(how.mean)) / _row(how.std)


def _row(values):
    import numpy as np

    return np.asarray(values, "float32")
