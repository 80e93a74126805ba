"""How alike the responses of a layer are: to all examples, and of all its units."""

from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.signals.theory.arrays import to_float64


def mean_cosine(rows: Any) -> float:
    """The mean cosine between two different rows: 1 where all point to the same side.

    Args:
        rows: Array (n, d), n >= 2. A row of zeros has the cosine 0 with all others.

    Returns:
        From -1 / (n - 1) to 1; NaN where a number is not finite.

    Raises:
        ZooError: Not two dimensions, or fewer than two rows.

    Example:

    >>> mean_cosine([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])  # one pair of three is parallel
    0.3333333333333333
    """
    a = to_float64(rows)
    if a.ndim != 2 or len(a) < 2:
        raise ZooError(f"A mean cosine needs two rows or more, (n, d). Received: shape={a.shape}")
    norms = np.linalg.norm(a, axis=1, keepdims=True)
    a = a / np.where(norms == 0, 1.0, norms)
    n = len(a)
    # Of a row with itself 1, or 0 for a row of zeros.
    own = np.square(a).sum()
    return float((np.square(a.sum(axis=0)).sum() - own) / (n * (n - 1)))


def singular_condition(activations: Any) -> float:
    """sigma_max / sigma_min, the condition number in the 2-norm.

    Args:
        activations: Array (n, d). Singular values within the rounding of the largest, as
            `numpy.linalg.matrix_rank` counts them for the array's own dtype, are 0.

    Returns:
        At least 1; infinite for a matrix of deficient rank, NaN for zeros.

    Raises:
        ZooError: Not two dimensions, no elements, or a number that is not finite.

    References:
        Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
        Connections", definition 1, equation 4.

    Example:

    >>> singular_condition([[4.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    2.0
    """
    a = to_float64(activations)
    if a.ndim != 2 or not a.size or not np.isfinite(a).all():
        raise ZooError(
            f"A condition number needs a finite matrix (n, d). Received: shape={a.shape}"
        )
    singular = np.linalg.svd(a, compute_uv=False)
    if not singular[0]:
        return float("nan")
    dtype = np.asarray(activations).dtype
    eps = np.finfo(dtype if dtype.kind == "f" else "float64").eps
    floor = max(a.shape) * eps * singular[0]
    return float(singular[0] / singular[-1]) if singular[-1] > floor else float("inf")
