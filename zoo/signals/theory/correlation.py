"""Correlation and coherence of the filters of a layer."""

from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.signals.theory.arrays import to_float64


def filter_correlations(kernel: Any) -> np.ndarray:
    """cos(w_i, w_j) of all pairs i < j of filters: 0 for an orthonormal kernel.

    Means over all pairs of all layers are the filter correlation of a network. The signed mean is
    what grows in training without the orthonormal regularizer: filters that point to the same
    side. The mean of absolute values is about sqrt(2 / (pi fan_in)) for random filters.

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.

    Returns:
        Array, float64, of out * (out - 1) / 2 cosines in the order (0, 1), (0, 2), …, (1, 2), ….
        A filter of zeros has the cosine 0 with all others.

    Raises:
        ZooError: A kernel of fewer than two dimensions.

    References:
        Xie et al., "All You Need is Beyond a Good Init", section 5.2, equation 8. It is written
        there with j from i on; the pairs i = j, whose cosine is always 1, are left out here, as
        they must have been there: they alone would add 2 / (M + 1) to the mean of a layer of M
        filters, 0.03 for the widest of that network, where 6e-3 is reported.

    Example:

    >>> filter_correlations([[1.0, 0.0, -2.0], [0.0, 3.0, 0.0]])
    array([ 0., -1.,  0.])
    """
    w = to_float64(kernel)
    if w.ndim < 2:
        raise ZooError(
            "filter_correlations needs a kernel of at least two dimensions (…, in, out). "
            f"Received: shape={w.shape}"
        )
    w = w.reshape(-1, w.shape[-1])
    norms = np.linalg.norm(w, axis=0)
    w = w / np.where(norms == 0, 1.0, norms)
    return (w.T @ w)[np.triu_indices(w.shape[1], k=1)]


def coherence(kernel: Any) -> float:
    """Largest |cos(w_i, w_j)| of two different filters: 0 for an orthonormal kernel, 1 for twins.

        mu = max over i != j of |w_i . w_j| / (||w_i|| ||w_j||)

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.

    Returns:
        Float from 0 to 1; 0 for a single filter.

    Raises:
        ZooError: A kernel of fewer than two dimensions.

    References:
        Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified
        Linear Units", definition 2 and figure 3.

    Example:

    >>> coherence([[1.0, 3.0], [0.0, 4.0]])
    0.6
    """
    return float(np.max(np.abs(filter_correlations(kernel)), initial=0.0))
