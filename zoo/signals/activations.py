"""The responses of units to a data set: their size, their frequency, and whether there are any."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.layers import CReLU, NormPropActivation
from zoo.signals.probe import Probe, Signals
from zoo.signals.taps import Tap, descendants, layers_of
from zoo.types import Tensor

THRESHOLDS = (0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0)

_LAYERS = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    CReLU,
    NormPropActivation,
)
# What comes out of these is no answer of hidden units.
_NO_UNITS = ("linear", "softmax", "log_softmax")


@dataclasses.dataclass(frozen=True)
class ActivationStatistics:
    """Statistics of one layer's units over a data set; all arrays are float64 of shape (units,).

    The units of a convolution are its channels, and every position of every example counts as
    one activation; of a dense layer every example does.

    A unit is active where its activation is above that of the input 0: above 0 for ReLU, leaky
    ReLU, tanh and SELU, above -1 / sqrt(pi - 1) for NormProp, above 1/2 for a sigmoid.

    Attributes:
        count: Integer, activations per unit, n.
        mean: sum(a) / n.
        variance: sum((a - mean)^2) / n.
        mean_absolute: sum(|a|) / n.
        max_absolute: max(|a|).
        nonzero: Share of activations that differ from that of the input 0.
        active: Share of activations above that of the input 0.
        above: Dict, threshold t -> share of activations with |a| > t.

    References:
        Mean and maximum absolute activation and shares above thresholds: Oyedotun et al.,
        "Revisiting the Training of Very Deep Neural Networks without Skip Connections", figures 2
        to 4 and A1. Its text counts zeros there as half of what ReLUs give, so we take the shares
        as those of all activations of a layer, not of units by some statistic of theirs. Mean and
        ratio of non-zero entries: Shang et al., "Exploring Normalization in Deep Residual Networks
        with Concatenated Rectified Linear Units", table 1. Dying and full neurons: Huang et al.,
        "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs", section 4.2
        and figure A12.
    """

    count: int
    mean: np.ndarray
    variance: np.ndarray
    mean_absolute: np.ndarray
    max_absolute: np.ndarray
    nonzero: np.ndarray
    active: np.ndarray
    above: dict[float, np.ndarray]

    @property
    def dying(self) -> np.ndarray:
        """(units,) bool: never active. Units that give NaN are neither dying nor full."""
        return (self.active == 0) & np.isfinite(self.mean)

    @property
    def full(self) -> np.ndarray:
        """(units,) bool: always active, so that the unit is as good as linear on the data."""
        return (self.active == 1) & np.isfinite(self.mean)

    def merge(self, other: "ActivationStatistics") -> "ActivationStatistics":
        """The statistics of both data sets together, those of all activations at once.

        Args:
            other: `ActivationStatistics` of the same layer with the same thresholds.

        Returns:
            `ActivationStatistics`.
        """
        n, m = self.count, other.count

        def pooled(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return (n * a + m * b) / (n + m)

        between = n * m / (n + m) ** 2 * (self.mean - other.mean) ** 2
        return ActivationStatistics(
            n + m,
            mean=pooled(self.mean, other.mean),
            variance=pooled(self.variance, other.variance) + between,
            mean_absolute=pooled(self.mean_absolute, other.mean_absolute),
            max_absolute=np.maximum(self.max_absolute, other.max_absolute),
            nonzero=pooled(self.nonzero, other.nonzero),
            active=pooled(self.active, other.active),
            above={t: pooled(share, other.above[t]) for t, share in self.above.items()},
        )

    def summary(self) -> dict[str, float]:
        """The layer in single numbers: of all activations of all its units.

        Returns:
            "units", "mean", "deviation", "mean_absolute", "max_absolute", "nonzero", "active",
            "above 0.05" and so on; "dying" and "full" are numbers of units.
        """
        variance = self.variance.mean() + self.mean.var()
        return {
            "units": len(self.mean),
            "mean": float(self.mean.mean()),
            "deviation": float(np.sqrt(variance)),
            "mean_absolute": float(self.mean_absolute.mean()),
            "max_absolute": float(self.max_absolute.max()),
            "nonzero": float(self.nonzero.mean()),
            "active": float(self.active.mean()),
            **{f"above {t:g}": float(share.mean()) for t, share in self.above.items()},
            "dying": int(self.dying.sum()),
            "full": int(self.full.sum()),
        }


def activation_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model whose outputs are activations.

    These are layers of a nonlinearity (Activation, ReLU, LeakyReLU, PReLU, ELU and the zoo's
    CReLU and NormPropActivation) and layers that apply one themselves, like Dense and Conv2D with
    `activation="relu"`, at any depth of any model. Left out are linear and softmax outputs, and
    recurrent layers, whose outputs are gated. Functions called without a layer (`keras.ops.relu`)
    cannot be seen: name the layer behind which they stand in their place, or its successor.

    Args:
        model: Keras model, built.

    Returns:
        Layers in the order of the model.

    Raises:
        ZooError: There are none.

    Example:

    >>> dense = keras.layers.Dense(2, activation="relu", name="hidden")
    >>> model = keras.Sequential([keras.Input((3,)), dense, keras.layers.Dense(1)])
    >>> [layer.name for layer in activation_layers(model)]
    ['hidden']
    """
    layers = [layer for layer in descendants(model) if _is_activation(layer)]
    if not layers:
        raise ZooError(f"{model.name} has no layer of a nonlinearity: name the layers to look at.")
    return layers


def activation_statistics(
    model: keras.Model,
    batches: Iterable,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    training: bool = False,
) -> dict[str, ActivationStatistics]:
    """Statistics of every activation layer over a data set, batch by batch.

    Each batch is reduced to a few numbers per unit as it flows through the layers, in float32,
    and pooled on the host in float64: memory is that of one forward pass, whatever the size of
    the data set, and any split into batches gives the same to rounding.

    Args:
        model: Any Keras model, built, with channels last.
        batches: Iterable of inputs as the model takes them, arrays (N, …); no targets.
        layers: List of names, paths or layers; None for `activation_layers(model)`. Of others 0 is
            what counts as inactive.
        thresholds: Floats, of the shares above, at least 0; () saves their time.
        training: Boolean, whether layers run as in training: batch normalization by the batch,
            dropout.

    Returns:
        Layer -> statistics, in the order of the forward pass. A layer that is used again has
        another row, "name#2".

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: No batch; NaN in a batch; a threshold below 0; no activation layer.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="relu")])
    >>> batches = np.array_split([[-1.0, 2.0], [-3.0, 4.0], [-5.0, -6.0]], 2)
    >>> statistics = activation_statistics(model, batches)["relu"]
    >>> statistics.mean, statistics.dying
    (array([0., 2.]), array([ True, False]))
    """
    if hasattr(batches, "shape"):
        raise ZooError(
            "batches must be a list or another iterable of arrays. Received one array of shape "
            f"{tuple(batches.shape)}: give [array]."
        )
    if any(not t >= 0 for t in thresholds):
        raise ZooError(f"thresholds must be at least 0. Received: {tuple(thresholds)}")
    chosen = activation_layers(model) if layers is None else layers
    rests = {name: _at_zero(layer) for layer, name in layers_of(model, chosen).items()}
    taps = {
        "count": Tap("output", _count),
        "mean": Tap("output", _mean),
        "variance": Tap("output", _variance),
        "mean_absolute": Tap("output", lambda x: _mean(ops.abs(x))),
        "max_absolute": Tap("output", lambda x: ops.max(ops.abs(_rows(x)), axis=0)),
        "above": Tap("output", functools.partial(_above, thresholds=tuple(thresholds))),
        **{f"active {r}": Tap("output", functools.partial(_active, r=r)) for r in rests.values()},
    }
    probe = Probe(model, taps, layers=chosen, training=training)
    pooled: dict[str, ActivationStatistics] = {}
    for batch in batches:
        for name, now in _of_batch(probe(batch), rests, thresholds).items():
            pooled[name] = pooled[name].merge(now) if name in pooled else now
    if not pooled:
        raise ZooError("Statistics of activations need at least one batch. Received none.")
    return pooled


def _of_batch(
    signals: Signals, rests: Mapping[str, float], thresholds: Iterable[float]
) -> dict[str, ActivationStatistics]:
    statistics = {}
    for name, count in signals["count"].items():
        rest = rests[name if name in rests else name.rpartition("#")[0]]
        active, nonzero = signals[f"active {rest}"][name]
        statistics[name] = ActivationStatistics(
            int(count),
            mean=signals["mean"][name].astype("float64"),
            variance=signals["variance"][name].astype("float64"),
            mean_absolute=signals["mean_absolute"][name].astype("float64"),
            max_absolute=signals["max_absolute"][name].astype("float64"),
            nonzero=nonzero / count,
            active=active / count,
            above=dict(zip(map(float, thresholds), signals["above"][name] / count, strict=True)),
        )
    return statistics


def _is_activation(layer: keras.Layer) -> bool:
    if isinstance(layer, _LAYERS):
        return True
    if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
        return False
    function = getattr(layer, "activation", None)
    return callable(function) and getattr(function, "__name__", "") not in _NO_UNITS


def _at_zero(layer: keras.Layer) -> float:
    """What an activation layer gives for 0; of another layer simply 0."""
    if not _is_activation(layer):
        return 0.0
    function = getattr(layer, "activation", None) or layer.call
    return float(np.ravel(ops.convert_to_numpy(function(ops.zeros((1, 1)))))[0])


def _rows(x: Tensor) -> Tensor:
    return ops.reshape(ops.cast(x, "float32"), (-1, x.shape[-1]))


def _mean(x: Tensor) -> Tensor:
    return ops.mean(_rows(x), axis=0)


def _variance(x: Tensor) -> Tensor:
    rows = _rows(x)
    return ops.mean(ops.square(rows - ops.mean(rows, axis=0)), axis=0)


def _count(x: Tensor) -> Tensor:
    # By a sum, for the size of a batch may be open when the pass is compiled.
    return ops.sum(ops.ones_like(_rows(x)[:, 0], dtype="int32"))


def _number(flags: Tensor) -> Tensor:
    return ops.sum(ops.cast(flags, "int32"), axis=0)


def _above(x: Tensor, thresholds: Iterable[float]) -> Tensor:
    size = ops.abs(_rows(x))
    numbers = [_number(size > t) for t in thresholds]
    return ops.stack(numbers) if numbers else ops.zeros((0,))


def _active(x: Tensor, r: float) -> Tensor:
    rows = _rows(x)
    # Compiled, the constant may come out a rounding away; 0 is exact.
    margin = 4 * np.finfo("float32").eps * abs(r)
    return ops.stack([_number(rows > r + margin), _number(ops.abs(rows - r) > margin)])
