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
        model: built.
        function: of a kernel: `condition_number`, `spectral_norm`, `filter_correlations`, ….
        layers: names, paths or layers; None for all that own a kernel.

    Returns:
        layer -> what the function gives; "layer/variable" where a layer owns several kernels. The
        names are those of `Probe`'s weight gradients.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: the model is not built, or has no kernel.

    Example:

    >>> map_kernels(zoo.load("maxnorm_mlp100.usps"), condition_number)["hidden50_dense"]
    """
    kernels = named_kernels(layers_of(model, layers))
    if not kernels:
        raise ZooError(f"{model.name} has no kernel in the layers looked at.")
    return {name: function(kernel) for name, kernel in kernels.items()}


def weight_domination(
    model: keras.Model,
    inputs,
    targets,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """sigma_max(dL/dW) / sigma_max(W) of every trainable kernel.

    A layer whose value lies far below the others' is dominated by its weight: a step of gradient
    descent hardly moves what it computes, and with batch normalization it looks like a minimum.

    Source: Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of
        DNNs", definition 1, section 4.1. No threshold for "far below" is given there.

    Args:
        model: built.
        inputs, targets: of a batch, as `Probe` takes them.
        layers, loss, training: as for `Probe`.

    Returns:
        layer -> ratio; infinite for a weight of zeros that gets a gradient, NaN where both vanish.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: as `Probe`; a weight or gradient is not finite.

    Example:

    >>> min(weight_domination(model, images, labels).items(), key=lambda item: item[1])
    ('hidden1_dense', 0.0004)
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
