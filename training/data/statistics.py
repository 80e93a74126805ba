"""Mean and deviation of each pixel over a training set."""

import numpy as np

from training.data.table import Images
from zoo.errors import ZooError

LEAST = 1.0  # grey level


def per_pixel(images: Images, chunk: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each pixel and channel over all images.

    A pixel that is (almost) the same in all images, such as the border of digits, gets a deviation
    of one grey level, so that dividing by it leaves the pixel's differences as they are.

    Args:
        images: a set in memory, x of (N, H, W, C).
        chunk: images that are held as float64 at a time.

    Returns:
        mean, std: (H, W, C) float64 on the scale 0..255 of `images.x`; std is at least 1.

    Raises:
        ZooError: the set is empty, or its pictures are of different sizes.

    Source: Xie, Xiong and Pu, "All You Need is Beyond a Good Init", protocol of CIFAR-10.

    Example:

    >>> mean, std = per_pixel(read("cifar10", "train", "data"))
    >>> mean.shape
    (32, 32, 3)
    """
    x = images.x
    if not isinstance(x, np.ndarray) or not len(x):
        raise ZooError(
            "Statistics per pixel need images of one size in memory, at least one. "
            f"Received: {len(x)} images of type {type(x).__name__}."
        )
    mean, square = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for start in range(0, len(x), chunk):
        mean += x[start : start + chunk].sum(axis=0, dtype="float64")
    mean /= len(x)
    for start in range(0, len(x), chunk):  # a second pass: differences of squares would cancel
        square += np.square(x[start : start + chunk] - mean).sum(axis=0)
    return mean, np.maximum(np.sqrt(square / len(x)), LEAST)
