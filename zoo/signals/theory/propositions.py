"""Propositions of the papers that stand alone, as functions to check them by."""

from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.signals.theory.arrays import kernel_matrix, to_float64
from zoo.signals.theory.correlation import coherence


class CanonicalError(NamedTuple):
    """How far a covariance is from a diagonal one.

    Attributes:
        distance: Of the covariance from the nearest diagonal matrix, in the Frobenius norm.
        bound: Of the distance, by the coherence of the filters.
    """

    distance: float
    bound: float


def canonical_error(kernel: Any, variance: float = 1.0) -> CanonicalError:
    """The distance of the covariance of W x from a diagonal one, and its bound.

        min_a ||Sigma - diag(a)||_F <= variance mu sqrt( sum_{i != j} ||W_i||^2 ||W_j||^2 )

    for inputs of covariance `variance` I; a_i = variance ||W_i||^2 is the minimum. mu is the
    coherence. The paper prints the norms under the root without squares, which is the same for
    filters of norm 1 and wrong for others: Sigma grows with the square of W.

    Args:
        kernel: Array, variable or tensor (…, in, out); a filter W_i is a column of (fan_in, out).
        variance: Float, of each input.

    Returns:
        `CanonicalError`.

    Raises:
        ZooError: A kernel of fewer than two dimensions, or with NaN.

    References:
        Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
        Rectified Linear Units", proposition 1 and definition 2.

    Example:

    >>> canonical_error([[3.0, 3.0], [0.0, 4.0]])  # |cos| = 0.6
    CanonicalError(distance=12.727922061357855, bound=12.727922061357855)
    """
    w = kernel_matrix(kernel)
    sigma = variance * w.T @ w
    outside = sigma - np.diag(np.diag(sigma))
    squares = np.square(w).sum(axis=0)
    pairs = squares.sum() ** 2 - np.square(squares).sum()
    bound = variance * coherence(w) * np.sqrt(max(pairs, 0.0))
    return CanonicalError(float(np.linalg.norm(outside)), float(bound))


def residual_covariance(kernel: Any) -> np.ndarray:
    """The covariance of W x + x for standard normal x.

        (W + I) (W + I)^T = W W^T + W + W^T + I,    2 I + W + W^T for orthogonal W

    So a residual block of an orthogonal W does not give a standard normal output, and no constant
    factor makes it one. The paper prints 2 (W + I), which is the same for symmetric W only.

    Args:
        kernel: Array (n, n) as Keras keeps it, (in, out): W is its transpose.

    Returns:
        Array (n, n).

    Raises:
        ZooError: The kernel is not square, or has NaN.

    References:
        Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
        Rectified Linear Units", proposition 3.

    Example:

    >>> residual_covariance([[0.0, 1.0], [-1.0, 0.0]])  # a rotation by 90 degrees
    array([[2., 0.],
           [0., 2.]])
    """
    w = kernel_matrix(kernel).T
    if w.shape[0] != w.shape[1]:
        raise ZooError(f"W x + x needs a square W. Received: shape={w.T.shape}")
    block = w + np.eye(len(w))
    return block @ block.T


class SolutionChange(NamedTuple):
    """How much the weights must change with their inputs, relative to their norm.

    Attributes:
        change: ||dW|| / ||W||.
        bound: kappa(H) ||dH|| / ||H||.
    """

    change: float
    bound: float


def solution_change(kernel: Any, activations: Any, change: Any) -> SolutionChange:
    """How much weights must change to give the same outputs for changed inputs, and its bound.

        (W + dW) (H + dH) = W H,  to first order  dW = -W dH H^+
        ||dW|| / ||W|| <= kappa(H) ||dH|| / ||H||,    kappa(H) = sigma_max(H) / sigma_min(H)

    Norms are largest singular values. H^+ is the pseudoinverse, so the outputs are the same to
    first order where the rows of dH lie within those of H, as they do for at least as many units
    as examples, and in the least squares sense elsewhere.

    Args:
        kernel: Array (units, out) as Keras keeps it: W is its transpose.
        activations: Array (N, units), the inputs of the layer: H is its transpose.
        change: Array of the shape of the activations, dH.

    Returns:
        `SolutionChange`; the bound is infinite for activations of deficient rank.

    Raises:
        ZooError: Shapes that do not fit, or weights or activations that are all 0.

    References:
        Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
        Connections", proposition 1 and equations 4 and 6 to 8.

    Example:

    >>> solution_change([[1.0], [0.0]], [[2.0, 0.0], [0.0, 1.0]], [[0.1, 0.0], [0.0, 0.0]])
    SolutionChange(change=0.05, bound=0.1)
    """
    w, h, dh = kernel_matrix(kernel).T, to_float64(activations).T, to_float64(change).T
    if h.ndim != 2 or h.shape != dh.shape or w.shape[1] != h.shape[0]:
        raise ZooError(
            "solution_change needs a kernel (units, out) and two arrays (N, units). "
            f"Received: shapes {w.T.shape}, {h.T.shape} and {dh.T.shape}"
        )
    if not w.any() or not h.any():
        raise ZooError("Relative changes of weights or activations that are all 0 are undefined.")
    singular = np.linalg.svd(h, compute_uv=False)
    floor = max(h.shape) * np.finfo("float64").eps * singular[0]
    kappa = singular[0] / singular[-1] if singular[-1] > floor else np.inf
    moved = -w @ dh @ np.linalg.pinv(h, rcond=floor / singular[0])
    size = np.linalg.norm(dh, 2)
    bound = 0.0 if size == 0 else kappa * size / singular[0]
    return SolutionChange(float(np.linalg.norm(moved, 2) / np.linalg.norm(w, 2)), float(bound))
