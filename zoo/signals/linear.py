"""What goes into the linear layers of a model and what comes back, example by example."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, identity, layers_of

LINEAR = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)

Scale = Literal["examples", "positions"]


class LinearSignals:
    """Reads x and dl/dh of every linear layer h = W x of a model, in one pass per batch.

    h is the layer's output before the activation that it may apply itself. dl/dh comes by one of
    two conventions; they differ for convolutions only, by the number of positions H W of a layer:

    - "examples": dl_i/dh, of the loss of one example, N times the gradient of the batch's mean;
    - "positions": N H W times it, as the authors' program has it, which takes each position for an
      example of its own. Second moments of layers of different sizes differ by (H W)^2 between
      the two; condition numbers are the same.

    Where examples act on one another, as in batch normalization with `training=True`, it is the
    gradient of the sum of all losses.

    Args:
        model: Built Keras model.
        layers: Names, paths or layers; None for all of the kinds.
        kinds: Tuple of classes of layers; dense layers and ungrouped convolutions at most.
        loss: As for `Probe`.
        training: As for `Probe`.
        scale: "examples" or "positions".

    Call arguments:
        inputs: Batch of N examples, as `Probe` takes it.
        targets: Array, the targets of the batch.

    Returns (of a call):
        Layer -> (x (N, …, D_in), dl/dh (N, …, D_out)), channels last; a layer used again is
        another one, "name#2".

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: A layer that was named is none of the kinds; the model has none; a signal is not
            finite; another scale; and what `Probe` raises.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        section 3.1 and appendix C.1.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")])
    >>> x, dh = LinearSignals(model, loss="mse")(np.ones((4, 2)), np.ones((4, 3)))["dense"]
    >>> x.shape, dh.shape
    ((4, 2), (4, 3))
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        layers: Sequence[str | keras.Layer] | None = None,
        kinds: tuple[type, ...] = LINEAR,
        loss: str | Callable | None = None,
        training: bool = True,
        scale: Scale = "examples",
    ):
        if scale not in ("examples", "positions"):
            raise ZooError(f"scale must be 'examples' or 'positions'. Received: {scale!r}")
        self.layers, self.scale = linear_layers(model, layers, kinds), scale
        taps = {"x": Tap("input", identity), "dh": Tap("linear_gradient", identity)}
        self._probe = Probe(model, taps, layers=list(self.layers), loss=loss, training=training)

    def __call__(self, inputs: Any, targets: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        signals = self._probe(inputs, targets)
        by_name = {name: layer for layer, name in self.layers.items()}
        pairs = {}
        for place in list(signals["x"]):
            layer = by_name.get(place) or by_name[place.rpartition("#")[0]]
            x, dh = signals["x"].pop(place), signals["dh"].pop(place)
            for side, value in (("input", x), ("output gradient", dh)):
                if not np.isfinite(value).all():
                    raise ZooError(f"The {side} of layer {place} holds NaN or infinity.")
            if getattr(layer, "data_format", None) == "channels_first":
                x, dh = np.moveaxis(x, 1, -1), np.moveaxis(dh, 1, -1)
            count = len(dh) if self.scale == "examples" else dh[..., 0].size
            pairs[place] = x, dh * np.asarray(count, dh.dtype)
        return pairs


def linear_layers(
    model: keras.Model,
    wanted: Sequence[str | keras.Layer] | None = None,
    kinds: tuple[type, ...] = LINEAR,
) -> dict[keras.Layer, str]:
    """Dense layers and convolutions of a model, with their names; see `layers_of`.

    Args:
        model: Built Keras model.
        wanted: Names, paths or layers; None for all of the kinds.
        kinds: Tuple of classes; grouped convolutions are left out.

    Returns:
        Layer -> name.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: A layer that was named is of another kind, or the model has none of the kinds.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")])
    >>> list(linear_layers(model).values())
    ['dense']
    """
    chosen = layers_of(model, wanted)
    fitting = {layer: name for layer, name in chosen.items() if _fits(layer, kinds)}
    names = ", ".join(kind.__name__ for kind in kinds)
    if wanted is not None and len(fitting) < len(chosen):
        layer, name = next(item for item in chosen.items() if item[0] not in fitting)
        raise ZooError(
            f"Layer {name} is a {type(layer).__name__}"
            f"{' of several groups' if isinstance(layer, kinds) else ''}; allowed: {names}."
        )
    if not fitting:
        raise ZooError(f"{model.name} has no layer of these kinds: {names}.")
    return fitting


def pairs_of(batches: Iterable) -> Iterator[tuple[Any, Any]]:
    """The batches, one by one.

    Args:
        batches: Iterable of pairs (inputs, targets).

    Yields:
        The pairs, as tuples.

    Raises:
        ZooError: There is none, or one is no pair (inputs, targets).
    """
    empty = True
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ZooError(
                "batches must give pairs (inputs, targets); one batch is [(inputs, targets)]. "
                f"Received: {type(batch).__name__}"
            )
        empty = False
        yield batch[0], batch[1]
    if empty:
        raise ZooError("batches must hold at least one pair (inputs, targets). Received none.")


def _fits(layer: keras.Layer, kinds: tuple[type, ...]) -> bool:
    return isinstance(layer, kinds) and getattr(layer, "groups", 1) == 1
