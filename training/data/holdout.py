"""Images of the training set that are kept back to choose settings without the test set."""

import numpy as np

from training.data.table import Images
from zoo.errors import ZooError


def hold_out(images: Images, count: int) -> tuple[Images, Images]:
    """A training set without `count` of its images, and those.

    They are drawn at random, but for one set and count always the same: runs of all seeds and
    settings are measured on the same images.

    Args:
        images: the training set, in memory.
        count: images to keep back, 1 to N - 1.

    Raises:
        ZooError: no such count; or the pictures stay on disk.
    """
    n = len(images.y)
    if not isinstance(images.x, np.ndarray):
        raise ZooError("holdout needs a data set that is read into memory; these pictures are not.")
    if not 0 < count < n:
        raise ZooError(f"holdout must leave images on both sides of {n}. Received: {count}")
    order = np.random.default_rng(n).permutation(n)
    kept, held = np.sort(order[count:]), np.sort(order[:count])
    return tuple(Images(images.x[i], images.y[i], images.labels) for i in (kept, held))
