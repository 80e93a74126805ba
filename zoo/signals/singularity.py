"""Hidden units that are alike: whether the responses of a layer to a data set are singular."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.signals.activations import activation_layers
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, identity
from zoo.signals.theory.similarity import mean_cosine, singular_condition


@dataclasses.dataclass(frozen=True)
class Singularity:
    """How near the responses H of one layer, (examples, units), are to a singular matrix.

    Attributes:
        condition: Sigma_max(H) / sigma_min(H), by which relative changes of H may be enlarged in
            the weights; infinite where H has deficient rank, as where units never fire.
        examples: Mean cosine between the responses to two different examples: near 1 where the
            layer answers all examples alike.
        units: Mean cosine between the responses of two different units over the examples.
    """

    condition: float
    examples: float
    units: float


def unit_singularity(
    model: keras.Model,
    batches: Iterable[Any],
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    training: bool = False,
) -> dict[str, Singularity]:
    """How alike the responses of every activation layer are: of all examples, and of its units.

    The units of a convolution are its channels at every position. All responses are held at once,
    and their singular values take N d min(N, d) operations: a thousand examples are plenty.

    Args:
        model: Built Keras model.
        batches: Iterable of inputs as the model takes them, arrays (N, …); no targets.
        layers: Names, paths or layers; None for `activation_layers(model)`.
        training: Boolean, whether layers run as in training.

    Returns:
        Layer -> `Singularity`, in the order of the forward pass.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: No batch, fewer than two examples, a layer of a single unit, or an activation
            that is not finite; as `Probe`.

    References:
        Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
        Connections", definition 1, proposition 1 and section VI.B, figures 6 to 8.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="relu")])
    >>> unit_singularity(model, [np.eye(2)])["relu"]
    Singularity(condition=1.0, examples=0.0, units=0.0)
    """
    chosen = activation_layers(model) if layers is None else layers
    probe = Probe(model, {"h": Tap("output", identity)}, layers=chosen, training=training)
    responses: dict[str, list[np.ndarray]] = {}
    for batch in batches:
        for name, h in probe(batch)["h"].items():
            responses.setdefault(name, []).append(h.reshape(len(h), -1))
    if not responses:
        raise ZooError("The responses of units need at least one batch. Received none.")
    result = {}
    for name, parts in responses.items():
        h = np.concatenate(parts)
        result[name] = Singularity(singular_condition(h), mean_cosine(h), mean_cosine(h.T))
    return result
