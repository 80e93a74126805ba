"""What the weights of a layer say alone: their size, condition and weight against the gradient."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, layers_of, named_kernels
from zoo.signals.theory.matrices import domination


def map_kernels(
    model: keras.Model,
    function: Callable[[Any], Any],
    layers: Sequence[str | keras.Layer] | None = None,
) -> dict[str, Any]:
    """A function of every kernel of a model.

    Args:
        model: Keras model, built.
        function: Function of a kernel: `condition_number`, `spectral_norm`, `filter_correlations`,
            ….
        layers: List of names, paths or layers; None for all that own a kernel.

    Returns:
        layer -> what the function gives; "layer/variable" where a layer owns several kernels. The
        names are those of `Probe`'s weight gradients.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: The model is not built, or has no kernel.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    >>> map_kernels(model, lambda kernel: tuple(kernel.shape))
    {'dense': (3, 2)}
    """
    kernels = named_kernels(layers_of(model, layers))
    if not kernels:
        raise ZooError(f"{model.name} has no kernel in the layers looked at.")
    return {name: function(kernel) for name, kernel in kernels.items()}


def weight_domination(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """sigma_max(dL/dW) / sigma_max(W) of every trainable kernel.

    A layer whose value lies far below the others' is dominated by its weight: a step of gradient
    descent hardly moves what it computes, and with batch normalization it looks like a minimum.

    Args:
        model: Keras model, built.
        inputs: Array (N, …), or as many as the model takes.
        targets: Array, the targets of the batch.
        layers: List of names, paths or layers; None for all that own a kernel.
        loss: Name or function (targets, outputs); as for `Probe`.
        training: Boolean, as for `Probe`.

    Returns:
        layer -> ratio; infinite for a weight of zeros that gets a gradient, NaN where both vanish.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: As `Probe`; a weight or gradient is not finite.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        definition 1, section 4.1. No threshold for "far below" is named there.

    Example:

    >>> import numpy as np
    >>> dense = keras.layers.Dense(1, use_bias=False, name="dense")
    >>> model = keras.Sequential([keras.Input((1,)), dense])
    >>> dense.set_weights([np.array([[4.0]])])
    >>> x, y = np.array([[1.0]]), np.array([[3.0]])
    >>> weight_domination(model, x, y, loss="mse")  # a gradient of 2 (4 - 3)
    {'dense': 0.5}
    """
    taps = {"both": Tap("weight_gradient", lambda kernel, gradient: ops.stack([kernel, gradient]))}
    both = Probe(model, taps, layers=layers, loss=loss, training=training)(inputs, targets)["both"]
    ratios = {}
    for name, (kernel, gradient) in both.items():
        try:
            ratios[name] = domination(kernel, gradient)
        except ZooError as error:
            raise ZooError(f"Weight or gradient of {name}: {error}") from error
    return ratios
