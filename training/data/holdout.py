"""Images of the training set that are kept back to choose settings without the test set."""

import numpy as np

from training.data.table import Images
from zoo.errors import ZooError


def hold_out(images: Images, count: int) -> tuple[Images, Images]:
    """A training set without `count` of its images, and those.

    They are drawn at random, but for one set and count always the same: runs of all seeds and
    settings are measured on the same images.

    Args:
        images: the training set.
        count: images to keep back, 1 to N - 1.

    Raises:
        ZooError: no such count.
    """
    n = len(images.y)
    if not 0 < count < n:
        raise ZooError(f"holdout must leave images on both sides of {n}. Received: {count}")
    order = np.random.default_rng(n).permutation(n)
    return images.take(np.sort(order[count:])), images.take(np.sort(order[:count]))
