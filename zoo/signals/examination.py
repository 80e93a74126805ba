"""All signals that a report of a network shows, on one batch."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.signals.activations import (
    ActivationStatistics,
    activation_layers,
    activation_statistics,
)
from zoo.signals.batch_norm import running_deviations
from zoo.signals.conditioning import LayerConditioning, layer_conditioning
from zoo.signals.linear import linear_layers
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, gradient_norm, mean_square
from zoo.signals.theory.correlation import coherence
from zoo.signals.theory.matrices import condition_number, domination
from zoo.signals.weights import map_kernels

# Spectra of few layers, up to this many inputs or outputs: they take seconds each.
SPECTRA, LARGEST_SPECTRUM = 4, 2048
# Examples (of a convolution: positions) for each input, or the spectrum tells more of the sample.
LEAST_ROWS = 4
# Numbers in a kernel up to which its condition number (an SVD) and its norm (products) are taken.
LARGEST_INVERSE, LARGEST_NORM = 2**22, 2**25


@dataclasses.dataclass(frozen=True)
class Examination:
    """The results of `examine`; layers in the order of the network, the lowest first.

    Attributes:
        model: String, its name.
        examples: Integer, the size of the batch.
        signals: Dict, for `zoo.signals.verdict`: name -> layer -> number; of "activations" a
            summary.
        spectra: Dict, layer -> `LayerConditioning`, of a few layers.
    """

    model: str
    examples: int
    signals: dict[str, dict[str, Any]]
    spectra: dict[str, LayerConditioning]


def examine(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    *,
    loss: str | Callable | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Examination:
    """Gradients, errors, weights, activations and spectra of a network, on one batch.

    Layers run as in training: batch normalization takes the batch's statistics. Left out are, as
    they would take minutes, condition numbers of kernels of more than 2^22 numbers and weight
    domination of more than 2^25; and spectra but of four layers of at most 2048 inputs and
    outputs, evenly spread. Condition numbers of inputs need four examples or positions for each.

    Args:
        model: Any Keras model, built.
        inputs: Array (N, …), or as many as the model takes; N = 32 is plenty.
        targets: Array, the targets of the batch.
        loss: Name or function (targets, outputs); see `Probe`.
        tell: Function, called with a line on what comes next, as it takes some seconds each.

    Returns:
        `Examination`; a signal that the model has not, like the running deviations of one without
        batch normalization, is an empty dict.

    Raises:
        ZooError: As `zoo.signals.Probe`.

    Example:

    >>> dense = keras.layers.Dense(2, kernel_initializer="zeros", name="dense")
    >>> model = keras.Sequential([keras.Input((3,)), dense])
    >>> examination = examine(model, np.ones((4, 3)), np.ones((4, 2)), loss="mse")
    >>> examination.signals["error_moment"]  # of the mean loss, 2 / (4 x 2) each
    {'dense': 0.0625}
    """
    tell("gradients and errors: one forward and one backward pass")
    taps = {
        "gradient_norm": Tap("weight_gradient", gradient_norm),
        "error_moment": Tap("output_gradient", mean_square),
        "gradient": Tap("weight_gradient", lambda kernel, gradient: gradient),
        "kernel": Tap("weight_gradient", lambda kernel, gradient: kernel),
        "rows": Tap("input", lambda x: ops.sum(ops.ones_like(x[..., 0], dtype="int32"))),
    }
    read = Probe(model, taps, loss=loss)(inputs, targets)
    signals: dict[str, dict[str, Any]] = {
        name: {layer: float(value) for layer, value in read[name].items()}
        for name in ("gradient_norm", "error_moment")
    }
    tell("weights")
    signals["domination"] = {
        layer: _or_nan(domination, kernel, read["gradient"][layer])
        for layer, kernel in read["kernel"].items()
        if kernel.size <= LARGEST_NORM
    }
    rows = read["rows"]
    del read  # kernels and gradients
    signals["weight_kappa"] = _weights(model, condition_number, LARGEST_INVERSE)
    signals["coherence"] = _weights(model, coherence, LARGEST_NORM, wide=False)
    signals["running_deviation"] = _or_empty(running_deviations, model)
    tell("activations")
    signals["activations"] = {
        name: statistics.summary() for name, statistics in _activations(model, inputs).items()
    }
    tell("spectra of the inputs of a few layers")
    spectra = _spectra(model, inputs, targets, loss)
    signals["input_kappa"] = {
        layer: conditioning.inputs.kappa(50)
        for layer, conditioning in spectra.items()
        if rows[layer] >= LEAST_ROWS * conditioning.inputs.size
    }
    return Examination(model.name, len(keras.tree.flatten(inputs)[0]), signals, spectra)


def _weights(
    model: keras.Model, function: Callable[[Any], float], largest: int, *, wide: bool = True
) -> dict[str, float]:
    def judge(kernel: Any) -> float | None:
        inputs, outputs = math.prod(kernel.shape[:-1]), kernel.shape[-1]
        if inputs * outputs > largest or (outputs > inputs and not wide):
            return None
        return function(kernel)

    values = map_kernels(model, lambda kernel: _or_nan(judge, kernel))
    return {layer: value for layer, value in values.items() if value is not None}


def _activations(model: keras.Model, inputs: Any) -> dict[str, ActivationStatistics]:
    try:
        layers = activation_layers(model)
    except ZooError:  # a linear net has none
        return {}
    return activation_statistics(model, [inputs], layers=layers, training=True)


def _spectra(
    model: keras.Model, inputs: Any, targets: Any, loss: Any
) -> dict[str, LayerConditioning]:
    fitting = [
        layer
        for layer in _or_empty(linear_layers, model)
        if max(layer.kernel.shape[-2:]) <= LARGEST_SPECTRUM
    ]
    if not fitting:
        return {}
    at = np.unique(np.linspace(0, len(fitting) - 1, SPECTRA).astype(int))
    chosen = [fitting[i] for i in at]
    batches = [(inputs, targets)]
    # None, where a signal is NaN.
    return _or_empty(layer_conditioning, model, batches, layers=chosen, loss=loss)


def _or_empty(function: Callable, *arguments: Any, **options: Any) -> Any:
    try:
        return function(*arguments, **options)
    except ZooError:  # the model has no layer of that kind
        return {}


def _or_nan(function: Callable, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ZooError:  # NaN in a kernel or its gradient
        return math.nan
