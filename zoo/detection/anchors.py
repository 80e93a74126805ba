"""Anchors of a feature pyramid."""

from collections.abc import Sequence

import numpy as np

from zoo.errors import ZooError


def make_anchors(
    image_size: tuple[int, int],
    strides: Sequence[int],
    sizes: Sequence[float],
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> list[np.ndarray]:
    """Boxes of one area and several shapes around the centre of each cell of each level.

        w = size / sqrt(ratio),    h = size * sqrt(ratio)

    Anchors that stick out of the image are among them.

    Args:
        image_size: tuple of int, (height, width) in pixels, multiples of every stride.
        strides: sequence of int, pixels from cell to cell, one for each level.
        sizes: sequence of float, square roots of the areas in pixels, one for each level.
        ratios: sequence of float, height over width.

    Returns:
        List of float32 arrays (n, 4), one for each level, n = height/stride * width/stride *
        len(ratios), in the order of a map (rows, columns, ratios).

    Raises:
        ZooError: a size is not a multiple of a stride, there are not as many sizes as strides, or
            a stride, size or ratio is not positive.

    References:
        - Ren et al., "Faster R-CNN", section 3.1.1.
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 4.1: one size for
          each level.

    Example:

    >>> make_anchors((64, 64), (32, 64), (64, 128), ratios=(1.0,))[1]
    array([[-32., -32.,  96.,  96.]], dtype=float32)
    """
    if len(strides) != len(sizes) or not strides:
        raise ZooError(f"Each level needs a stride and a size. Received: {strides=}, {sizes=}")
    if not ratios or min(*strides, *sizes, *ratios) <= 0:
        raise ZooError(f"Must all be positive: {strides=}, {sizes=}, {ratios=}")
    if any(side <= 0 or side % stride for side in image_size for stride in strides):
        raise ZooError(
            f"The height and the width must be multiples of {max(strides)}. "
            f"Received: {image_size=}, {strides=}"
        )
    root = np.sqrt(np.asarray(ratios, "float64"))
    levels = []
    for stride, size in zip(strides, sizes, strict=True):
        y, x = ((np.arange(side // stride) + 0.5) * stride for side in image_size)
        centres = np.stack(np.meshgrid(x, y), axis=-1)[:, :, None]
        half = np.stack([size / root, size * root], axis=-1) / 2
        boxes = np.concatenate([centres - half, centres + half], axis=-1)
        levels.append(boxes.reshape(-1, 4).astype("float32"))
    return levels
