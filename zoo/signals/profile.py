"""Gradients and errors along the depth of a network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, Where, gradient_norm, mean_square

Layers = Sequence[str | keras.Layer] | None


def gradient_norms(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    *,
    layers: Layers = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """||dl/dW_k|| of every kernel: Euclidean norms, of the loss of the data.

    Where they grow towards the input, gradients explode. Norms of kernels of different shapes
    differ for that alone: see `error_moments`.

    Args:
        model: Keras model, built.
        inputs: Array (N, …), or as many as the model takes.
        targets: Array, the targets of the batch.
        layers: List of names, paths or layers; None for all that own a kernel.
        loss: Name or function (targets, outputs); see `Probe`.
        training: Boolean, whether layers run as in training; see `Probe`.

    Returns:
        Dict, name -> norm, in the order of the model.

    Raises:
        ZooError: As `zoo.signals.Probe`.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figures 1 (left), 4
        (left) and 10.

    Example:

    >>> import numpy as np
    >>> dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="dense")
    >>> model = keras.Sequential([keras.Input((2,)), dense])
    >>> x, y = np.array([[3.0, 4.0]]), np.array([[1.0]])
    >>> gradient_norms(model, x, y, loss="mse")  # of (0 - 1)^2: 2 ||x||
    {'dense': 10.0}
    """
    taps = {"gradient": Tap("weight_gradient", gradient_norm)}
    probe = Probe(model, taps, layers=layers, loss=loss, training=training)
    return _floats(probe(inputs, targets)["gradient"])


def error_moments(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    *,
    at: str = "output",
    layers: Layers = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """Second moments of the errors: q_l = mean of (dl/dz_l)^2 over batch, positions, channels.

    z_l is the output of layer l, where the error enters it on its way down; or its input, where
    the error leaves it. `zoo.layers.Modulation` reads the errors between two layers: the q of its
    point l is that of layer l + 1 with at="input".

    Args:
        model: Keras model, built.
        inputs: Array (N, …), or as many as the model takes.
        targets: Array, the targets of the batch.
        at: String, "output" or "input" of each layer.
        layers: List of names, paths or layers; None for all that own a kernel.
        loss: Name or function (targets, outputs); see `Probe`.
        training: Boolean, whether layers run as in training; see `Probe`.

    Returns:
        Dict, name -> q, in the order of the forward pass.

    Raises:
        ZooError: Another `at`; as `zoo.signals.Probe`.

    References:
        Xie et al., "All You Need is Beyond a Good Init", sections 4 and 5.2, figures 3 and 4, which
        call the error at a layer's output its "input error".

    Example:

    >>> import numpy as np
    >>> dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="dense")
    >>> model = keras.Sequential([keras.Input((2,)), dense])
    >>> x, y = np.array([[3.0, 4.0]]), np.array([[1.0]])
    >>> error_moments(model, x, y, loss="mse")  # (dl/dz)^2 = (-2)^2
    {'dense': 4.0}
    """
    if at not in ("input", "output"):
        raise ZooError(f"at must be 'input' or 'output'. Received: {at!r}")
    where: Where = "output_gradient" if at == "output" else "input_gradient"
    taps = {"q": Tap(where, mean_square)}
    probe = Probe(model, taps, layers=layers, loss=loss, training=training)
    return _floats(probe(inputs, targets)["q"])


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
