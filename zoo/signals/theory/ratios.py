"""What a block does to the variance of signals and errors, in theory."""

import numbers
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.signals.theory.arrays import to_float64


class Ratios(NamedTuple):
    """What a block does to the variance of signals and of errors.

    Attributes:
        forward: R_f = Var[y] / Var[x], of its output over its input.
        backward: R_b = Var[dl/dx] / Var[dl/dy].
    """

    forward: float
    backward: float

    @property
    def rate(self) -> float:
        """r = R_b / R_f: the growth of errors where normalization keeps the signals in place.

        1 for linear blocks, above 1 for all others of normal inputs.
        """
        return self.backward / self.forward

    @property
    def growth(self) -> float:
        """sqrt(r), by which gradient norms grow per such block, towards the input."""
        return self.rate**0.5


def pair_ratios(k: float, tied: bool = True) -> Ratios:
    """Ratios of a pair M^T ReLU(W x) with W, M of shape (D, d), entries N(0, 2 / D), k = D / d.

        tied, M = W:  R_f = 1 + 2/k (1 - 1/pi),  R_b = 1 + 2/k
        independent:  R_f =     2/k (1 - 1/pi),  R_b =     2/k

    For large D and d; x and the error are standard normal. The rate of an independent pair is
    that of ReLU, pi / (pi - 1), whatever k; that of a tied one falls to 1 with growing k.

    Args:
        k: Number, hidden units per input, D / d.
        tied: Boolean, whether M = W.

    Returns:
        `Ratios`.

    Raises:
        ZooError: k is not a positive number.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 4.1. Its text
        has N(0, 1 / D); its proof, and the values, N(0, 2 / D).

    Example:

    >>> round(pair_ratios(2).growth, 4)
    1.0905
    """
    if isinstance(k, bool) or not isinstance(k, numbers.Real) or not 0 < k < np.inf:
        raise ZooError(f"k must be a positive number. Received: k={k!r}")
    return Ratios(float(tied + 2 / k * (1 - 1 / np.pi)), float(tied + 2 / k))


def linear_ratios(kernel: Any) -> Ratios:
    """Ratios of a dense layer or a convolution, of inputs and errors with independent entries.

        R_f = ||W||_F^2 / outputs,  R_b = ||W||_F^2 / inputs

    Their rate is outputs / inputs, which over a whole net is bounded by its widths. Convolutions
    have the same ratios at stride 1 and away from the border.

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.

    Returns:
        `Ratios`.

    Raises:
        ZooError: A kernel of fewer than two dimensions.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 3.4.

    Example:

    >>> linear_ratios(np.ones((2, 4)))
    Ratios(forward=2.0, backward=4.0)
    """
    w = to_float64(kernel)
    if w.ndim < 2:
        raise ZooError(
            "linear_ratios needs a kernel of at least two dimensions (…, in, out). "
            f"Received: shape={w.shape}"
        )
    square = float(np.sum(w**2))
    return Ratios(square / w.shape[-1], square / w.shape[-2])


def normal_quadrature(
    limit: int = 12, panels_per_unit: int = 8, order: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E[f(X)], X ~ N(0, 1): Gauss-Legendre on panels.

    Args:
        limit: Integer, the largest |x|.
        panels_per_unit: Integer; f may have kinks at the edges of panels.
        order: Integer, nodes of a panel.

    Returns:
        Two arrays of one length.

    Example:

    >>> nodes, weights = normal_quadrature()
    >>> round(float(weights @ nodes**4), 9)
    3.0
    """
    x, w = np.polynomial.legendre.leggauss(order)
    half = 1 / (2 * panels_per_unit)
    centres = np.arange(-limit + half, limit, 2 * half)
    nodes = (centres[:, None] + half * x).reshape(-1)
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    return nodes, np.tile(half * w, len(centres)) * density
