"""What a block does to the variance of signals and errors, in theory."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.errors import UnknownNameError, ZooError
from zoo.signals.differentiate import differentiate


class Ratios(NamedTuple):
    """How a block scales the variance of signals and of errors.

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


def activation_ratios(activation: str | Callable) -> Ratios:
    """Ratios of an activation function s for standard normal inputs, as behind a normalization.

        R_f = Var[s(X)],  R_b = E[s'(X)^2],  X ~ N(0, 1)

    Their rate is 1.072 for SELU, 1.178 for tanh and 1.467 = pi / (pi - 1) for ReLU, so that
    gradient norms grow 1.21 times per layer of a plain BN-ReLU net. By quadrature, exact to 1e-6
    where kinks of s are at multiples of 1/8 (elsewhere to 1e-3) and derivatives are finite.

    Args:
        activation: Keras name, or elementwise function in `keras.ops`.

    Raises:
        UnknownNameError: Keras has no such activation.
        ZooError: the function is constant, not finite, or not elementwise.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", equation 1 and
        propositions 3.12 and 3.14. Equation 1 prints E[s'(X)]^2 for E[s'(X)^2]; the values that
        it gives are those of the latter.

    Example:

    >>> activation_ratios("relu").growth  # per layer
    1.2112…
    """
    nodes, weights = _normal_quadrature()
    run = differentiate(_along(_function(activation)), lambda *_: [])
    # One feature per example: a softmax, which is not elementwise, is constant there.
    (values,), _, (slopes,), _ = run([], ops.convert_to_tensor(nodes[:, None]))
    s, slope = (
        np.asarray(ops.convert_to_numpy(v), "float64").reshape(-1) for v in (values, slopes)
    )
    if s.shape != nodes.shape:
        raise ZooError(f"{activation!r} is not elementwise: {nodes.size} values became {s.size}.")
    mean = weights @ s
    ratios = Ratios(float(weights @ (s - mean) ** 2), float(weights @ slope**2))
    if not np.isfinite(ratios).all() or ratios.forward < 1e-12:
        raise ZooError(
            f"{activation!r} has no rate: its variance under N(0, 1) is {ratios.forward:.3g} and "
            f"the mean square of its derivative {ratios.backward:.3g}."
        )
    return ratios


def pair_ratios(k: float, tied: bool = True) -> Ratios:
    """Ratios of a pair M^T ReLU(W x) with W, M of shape (D, d), entries N(0, 2 / D), k = D / d.

        tied, M = W:  R_f = 1 + 2/k (1 - 1/pi),  R_b = 1 + 2/k
        independent:  R_f =     2/k (1 - 1/pi),  R_b =     2/k

    For large D and d; x and the error are standard normal. The rate of an independent pair is
    that of ReLU, pi / (pi - 1), whatever k; that of a tied one falls to 1 with growing k.

    Args:
        k: hidden units per input, D / d.
        tied: whether M = W.

    Raises:
        ZooError: k is not a positive number.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 4.1. Its
        text has N(0, 1 / D); its proof, and the values, N(0, 2 / D).

    Example:

    >>> pair_ratios(2).growth
    1.0910…
    """
    if isinstance(k, bool) or not isinstance(k, int | float) or not 0 < k < np.inf:
        raise ZooError(f"k must be a positive number. Received: k={k!r}")
    return Ratios(tied + 2 / k * (1 - 1 / np.pi), tied + 2 / k)


def linear_ratios(kernel) -> Ratios:
    """Ratios of a dense layer or a convolution, of inputs and errors with independent entries.

        R_f = ||W||_F^2 / outputs,  R_b = ||W||_F^2 / inputs

    Their rate is outputs / inputs, which over a whole net is bounded by its widths. Convolutions
    have the same ratios at stride 1 and away from the border.

    Args:
        kernel: (…, in, out) tensor, variable or array, two dimensions or more.

    Raises:
        ZooError: for a kernel of fewer than two dimensions.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 3.4.
    """
    w = np.asarray(ops.convert_to_numpy(getattr(kernel, "value", kernel)), "float64")
    if w.ndim < 2:
        raise ZooError(
            "linear_ratios needs a kernel of at least two dimensions (…, in, out). "
            f"Received: shape={w.shape}"
        )
    square = float(np.sum(w**2))
    return Ratios(square / w.shape[-1], square / w.shape[-2])


def _normal_quadrature(limit: int = 12, panels_per_unit: int = 8, order: int = 16):
    """Nodes and weights of E[f(X)]: Gauss-Legendre on panels, at whose edges f may have kinks."""
    x, w = np.polynomial.legendre.leggauss(order)
    half = 1 / (2 * panels_per_unit)
    centres = np.arange(-limit + half, limit, 2 * half)
    nodes = (centres[:, None] + half * x).reshape(-1)
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    return nodes, np.tile(half * w, len(centres)) * density


def _function(activation) -> Callable:
    if callable(activation):
        return activation
    try:
        return keras.activations.get(activation)
    except ValueError:
        names = set(vars(keras.activations)) - {"deserialize", "get", "serialize"}
        known = [name for name in names if not name.startswith("_")]
        raise UnknownNameError("activation", activation, known) from None


def _along(function) -> Callable:
    def forward(token, weights, x):
        dtype = keras.backend.standardize_dtype(x.dtype)
        y = function(x + token("x", tuple(x.shape), dtype))
        return ops.sum(y), [y]

    return forward
