"""What goes into the linear layers of a model and what comes back, example by example."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, identity, layers_of

LINEAR = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


class LinearSignals:
    """Reads x and dl/dh of every linear layer h = W x of a model, in one pass per batch.

    h is the layer's output before the activation that it may apply itself. dl_i/dh_i is the
    gradient of the loss of one example: N times that of the mean over the batch. Where examples
    act on one another, as in batch normalization with `training=True`, it is the gradient of the
    sum of all losses.

    Args:
        model: built.
        layers: names, paths or layers; None for all of the kinds.
        kinds: classes of layers; dense layers and ungrouped convolutions at most.
        loss, training: as for `Probe`.

    Call arguments:
        inputs, targets: of a batch of N examples, as `Probe` takes them.

    Returns (of a call):
        layer -> (x (N, …, D_in), dl/dh (N, …, D_out)), channels last; a layer used again is
        another one, "name#2".

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: a layer that was named is none of the kinds; the model has none; a signal is not
            finite; and what `Probe` raises.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        layers: Sequence[str | keras.Layer] | None = None,
        kinds: tuple[type, ...] = LINEAR,
        loss: str | Callable | None = None,
        training: bool = True,
    ):
        self.layers = linear_layers(model, layers, kinds)
        taps = {"x": Tap("input", identity), "dh": Tap("linear_gradient", identity)}
        self._probe = Probe(model, taps, layers=list(self.layers), loss=loss, training=training)

    def __call__(self, inputs, targets) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        signals = self._probe(inputs, targets)
        by_name = {name: layer for layer, name in self.layers.items()}
        pairs = {}
        for place in list(signals["x"]):
            layer = by_name.get(place) or by_name[place.rpartition("#")[0]]
            x, dh = signals["x"].pop(place), signals["dh"].pop(place)
            for what, value in (("input", x), ("output gradient", dh)):
                if not np.isfinite(value).all():
                    raise ZooError(f"The {what} of layer {place} holds NaN or infinity.")
            if getattr(layer, "data_format", None) == "channels_first":
                x, dh = np.moveaxis(x, 1, -1), np.moveaxis(dh, 1, -1)
            pairs[place] = x, dh * np.asarray(len(dh), dh.dtype)
        return pairs


def linear_layers(
    model: keras.Model,
    wanted: Sequence[str | keras.Layer] | None = None,
    kinds: tuple[type, ...] = LINEAR,
) -> dict[keras.Layer, str]:
    """Dense layers and convolutions of a model, with their names; see `layers_of`.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: a layer that was named is of another kind, or the model has none of the kinds.
    """
    found = layers_of(model, wanted)
    fitting = {layer: name for layer, name in found.items() if _fits(layer, kinds)}
    names = ", ".join(kind.__name__ for kind in kinds)
    if wanted is not None and len(fitting) < len(found):
        layer, name = next(item for item in found.items() if item[0] not in fitting)
        raise ZooError(
            f"Layer {name} is a {type(layer).__name__}"
            f"{' of several groups' if isinstance(layer, kinds) else ''}; allowed: {names}."
        )
    if not fitting:
        raise ZooError(f"{model.name} has no layer of these kinds: {names}.")
    return fitting


def pairs_of(batches: Iterable) -> Iterator[tuple[Any, Any]]:
    """The batches, one by one.

    Raises:
        ZooError: there is none, or one is no pair (inputs, targets).
    """
    found = False
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ZooError(
                "batches must give pairs (inputs, targets); one batch is [(inputs, targets)]. "
                f"Received: {type(batch).__name__}"
            )
        found = True
        yield tuple(batch)
    if not found:
        raise ZooError("batches must hold at least one pair (inputs, targets). Received none.")


def _fits(layer: keras.Layer, kinds: tuple[type, ...]) -> bool:
    return isinstance(layer, kinds) and getattr(layer, "groups", 1) == 1
