"""Ten views of a picture: the four corners, the centre, and the mirror images of these five."""

import dataclasses

import numpy as np

import zoo
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess, normalize


def check_ten_crop(preprocess: Preprocess, images) -> None:
    """Raises a `ZooError` where ten crops would be one: nothing is cut from such pictures."""
    reason = None
    if preprocess.resize <= min(preprocess.size):
        reason = f"resizes the shorter side to {preprocess.resize} pixels and keeps all of it"
    elif isinstance(images, np.ndarray) and images.shape[1:3] == tuple(preprocess.size):
        reason = "has pictures that are of the model's size already"
    if reason:
        raise ZooError(
            f"Ten crops need pictures larger than the model's input. This checkpoint {reason} "
            f"({preprocess.size[0]} x {preprocess.size[1]}), so the ten would show the same: "
            "leave it out."
        )


def ten_crops(preprocess: Preprocess, image) -> np.ndarray:
    """The ten views of one picture, as the model takes them.

    The picture is resized as `zoo.preprocess` does it, but kept whole. Windows of
    `preprocess.size` are cut from its corners and its centre. Their probabilities are to be
    averaged.

    Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks",
        section 4.1.

    Args:
        preprocess: the model's preprocessing.
        image: (H, W, C), uint8 or float of 0 to 255.

    Returns:
        (10, height, width, channels) float32: upper left, upper right, lower left, lower right,
        centre, then their mirror images in that order.
    """
    height, width = preprocess.size
    rows, columns = image.shape[:2]
    factor = max(preprocess.resize / min(rows, columns), height / rows, width / columns)
    whole = max(height, round(rows * factor)), max(width, round(columns * factor))
    zeros, ones = (0.0,) * preprocess.channels, (1.0,) * preprocess.channels
    resized = dataclasses.replace(
        preprocess, size=whole, resize=min(whole), scale=1.0, mean=zeros, std=ones
    )
    (pixels,) = zoo.preprocess(resized, image)
    bottom, right = whole[0] - height, whole[1] - width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = np.stack([pixels[i : i + height, j : j + width] for i, j in corners])
    return normalize(np.concatenate([crops, crops[:, :, ::-1]]), preprocess)
