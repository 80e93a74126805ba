"""What an activation function does to the variance of signals and errors, in theory."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import UnknownNameError, ZooError
from zoo.signals.differentiate import differentiate
from zoo.signals.theory.ratios import Ratios, normal_quadrature
from zoo.types import Tensor


def activation_ratios(activation: str | Callable) -> Ratios:
    """Ratios of an activation function s for standard normal inputs, as behind a normalization.

        R_f = Var[s(X)],  R_b = E[s'(X)^2],  X ~ N(0, 1)

    Their rate is 1.072 for SELU, 1.178 for tanh and 1.467 = pi / (pi - 1) for ReLU, so that
    gradient norms grow 1.21 times per layer of a plain BN-ReLU net. By quadrature, exact to 1e-6
    where kinks of s are at multiples of 1/8 (elsewhere to 1e-3) and derivatives are finite.

    Args:
        activation: String, a name of Keras, or an elementwise function in `keras.ops`.

    Returns:
        `Ratios`.

    Raises:
        UnknownNameError: Keras has no such activation.
        ZooError: The function is constant, not finite, or not elementwise.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", equation 1 and propositions
        3.12 and 3.14. Equation 1 prints E[s'(X)]^2 for E[s'(X)^2]; the values that it gives are
        those of the latter.

    Example:

    >>> round(activation_ratios("relu").growth, 4)  # per layer
    1.2112
    """
    nodes, weights = normal_quadrature()
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


def _function(activation: Any) -> Callable:
    if callable(activation):
        return activation
    try:
        return keras.activations.get(activation)
    except ValueError:
        names = set(vars(keras.activations)) - {"deserialize", "get", "serialize"}
        known = [name for name in names if not name.startswith("_")]
        raise UnknownNameError("activation", activation, known) from None


def _along(function: Callable) -> Callable:
    def forward(token: Callable, weights: list, x: Tensor) -> tuple[Tensor, list]:
        dtype = keras.backend.standardize_dtype(x.dtype)
        y = function(x + token("x", tuple(x.shape), dtype))
        return ops.sum(y), [y]

    return forward
