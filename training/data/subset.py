"""Parts of a data set: without some classes, or with a fraction of the labels."""

from collections.abc import Sequence

import numpy as np

from training.data.table import Images
from zoo.errors import UnknownNameError, ZooError


def without_classes(images: Images, names: Sequence[str]) -> Images:
    """The images of all classes but `names`, labels counted anew in the order they had.

    Raises:
        UnknownNameError: there is no such class.
        ZooError: fewer than two classes are left.
    """
    for name in names:
        if name not in images.labels:
            raise UnknownNameError("class", name, images.labels)
    kept = [i for i, label in enumerate(images.labels) if label not in names]
    if len(kept) < 2:
        raise ZooError(f"Two classes must be left of {len(images.labels)}. Received: {len(kept)}")
    new = np.full(len(images.labels), -1)
    new[kept] = np.arange(len(kept))
    some = images.take(np.flatnonzero(np.isin(images.y, kept)))
    return Images(some.x, new[some.y], tuple(images.labels[i] for i in kept))


def fraction_of(images: Images, fraction: float, seed: int) -> Images:
    """A random part of each class, at least one image of it; the same one for one seed.

    A smaller fraction of the same seed is part of a larger one.

    Args:
        images: the whole set.
        fraction: of each class, above 0, at most 1.
        seed: of the choice.
    """
    order = np.random.default_rng(seed).permutation(len(images.y))
    chosen = []
    for label in range(len(images.labels)):
        members = order[images.y[order] == label]
        if len(members):
            chosen.append(members[: max(1, round(fraction * len(members)))])
    return images.take(np.sort(np.concatenate(chosen)))
