"""Which pictures validate: a share of each class, chosen by seed and content."""

import hashlib
from collections.abc import Sequence

import numpy as np


def stratified(
    y: np.ndarray, digests: Sequence[str], share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts examples into those to learn from and those to validate with.

    Of each class the share is rounded, at least one and not all. The order and the names of the
    files do not matter, and an example that is added or removed moves few others.

    Args:
        y: int array, the classes, each at least twice.
        digests: sequence of str, one per example and different from all others.
        share: float within (0, 1), of the examples that validate.
        seed: int.

    Returns:
        Two sorted int arrays of positions.

    Example:

    >>> training, validation = stratified(np.array([0, 0, 0, 0, 1, 1]), list("abcdef"), 0.25, 0)
    >>> len(training), len(validation)
    (4, 2)
    """
    ranks = [hashlib.sha256(f"{seed} {digest}".encode()).digest() for digest in digests]
    chosen: list[int] = []
    for label in np.unique(y):
        own = sorted(np.flatnonzero(y == label).tolist(), key=ranks.__getitem__)
        count = min(max(round(share * len(own)), 1), len(own) - 1)
        chosen += own[:count]
    validation = np.array(sorted(chosen))
    return np.setdiff1d(np.arange(len(y)), validation), validation
