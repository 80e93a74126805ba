"""What a block does to the variance of signals and errors, measured."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.signals.differentiate import differentiate
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, Where
from zoo.signals.theory.ratios import Ratios


def measured_ratios(
    block: keras.Layer | Callable[[Any], Any],
    x: Any,
    error: Any = None,
    *,
    training: bool = True,
    seed: int = 0,
) -> Ratios:
    """How one block scales the variance of a batch and of the errors that come down.

        R_f = Var[y] / Var[x],  R_b = Var[dl/dx] / Var[dl/dy],  y = block(x)

    Var is the variance over the examples, averaged over all positions and channels: the block's
    weights are what they are, and nothing is averaged over them.

    Args:
        block: Layer, model or function in `keras.ops`, of one tensor into one. The states of a
            layer or model are not changed; a function must not use layers that have any.
        x: Float array (N, …), N >= 2.
        error: Array dl/dy, of the shape of the output; None for standard normal numbers.
        training: Boolean, whether a layer runs as in training.
        seed: Integer, of the error.

    Returns:
        `Ratios`; not finite where x or the error do not vary.

    Raises:
        ZooError: Fewer than two examples, values that are not finite floats, an error of another
            shape, a block that gives several tensors.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", definition 3.1.

    Example:

    >>> x = np.random.default_rng(0).standard_normal((1000, 64))
    >>> ratios = measured_ratios(keras.layers.ReLU(), x)
    >>> round(ratios.forward, 2), round(ratios.backward, 2)
    (0.34, 0.5)
    """
    x, y, below, above = (np.mean(v) for v in _variances(block, x, error, training, seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Ratios(float(y / x), float(below / above))


class ChannelRatios(NamedTuple):
    """Ratios of each entry of an example, of the examples' shape.

    Attributes:
        forward: Var[y_k] / Var[x_k].
        backward: Var[dl/dx_k] / Var[dl/dy_k].
    """

    forward: np.ndarray
    backward: np.ndarray


def channel_ratios(
    block: keras.Layer | Callable[[Any], Any],
    x: Any,
    error: Any = None,
    *,
    training: bool = True,
    seed: int = 0,
) -> ChannelRatios:
    """`measured_ratios` of every entry by itself, for blocks that do not mix them.

    A statement about one channel, as the paper's on batch normalization, does not hold for ratios
    of averages over channels whose variances differ.

    Args:
        block: As for `measured_ratios`; its output has the shape of its input.
        x: Float array (N, …), N >= 2.
        error: Array dl/dy, of the shape of x; None for standard normal numbers.
        training: Boolean, whether a layer runs as in training.
        seed: Integer, of the error.

    Returns:
        `ChannelRatios`.

    Raises:
        ZooError: As `measured_ratios`; an output of another shape than x.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 3.8.

    Example:

    >>> x = np.random.default_rng(0).standard_normal((8, 3))
    >>> channel_ratios(lambda x: 2 * x, x).forward.round(3)
    array([4., 4., 4.])
    """
    of_x, of_y, below, above = _variances(block, x, error, training, seed)
    if of_x.shape != of_y.shape:
        raise ZooError(
            "channel_ratios needs a block that keeps the shape. Received: "
            f"{of_x.shape} becomes {of_y.shape}"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return ChannelRatios(of_y / of_x, below / above)


def _variances(block: Any, x: Any, error: Any, training: bool, seed: int) -> tuple[np.ndarray, ...]:
    """Over the examples, of x, y, dl/dx and dl/dy."""
    x = _batch("x", x)
    error = None if error is None else _batch("error", error)
    call, weights, states = _pure(block, x, training)
    drawn: list[np.ndarray] = []

    def forward(token: Callable, _: list, weights: list, states: list, x: Any) -> tuple[Any, list]:
        y = call(weights, states, x + token("x", tuple(x.shape), "float32"))
        if not ops.is_tensor(y):
            raise ZooError(f"The block must give one tensor. Received: a {type(y).__name__}")
        # A stream of its own: x may well have been drawn by the same seed.
        rng = np.random.default_rng([seed, 1])
        down = rng.standard_normal(y.shape) if error is None else error
        if down.shape != tuple(y.shape):
            raise ZooError(
                f"error must have the shape of the output, {tuple(y.shape)}. Received: {down.shape}"
            )
        drawn[:] = [down]
        return ops.sum(ops.cast(y, "float32") * ops.convert_to_tensor(down, "float32")), [y]

    run = differentiate(forward, lambda *_: [])
    (y,), _, (below,), _ = run([], weights, states, ops.convert_to_tensor(x, "float32"))
    return tuple(np.var(v, axis=0) for v in (x, _host(y), _host(below), drawn[0]))


def block_ratios(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    layers: Sequence[str | keras.Layer] | None = None,
    *,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, Ratios]:
    """`measured_ratios` of blocks inside a model, with its own signals and errors, in one pass.

    The product of the ratios of blocks that follow each other is that of the whole chain.

    Args:
        model: Keras model, built.
        inputs: Array (N, …), N >= 2, or as many as the model takes.
        targets: Array, the targets of the batch.
        layers: List of names or layers at any depth: single layers, composite ones, submodels; None
            for all that own a kernel.
        loss: Name or function (targets, outputs); see `Probe`.
        training: Boolean, whether layers run as in training; see `Probe`.

    Returns:
        Dict, name -> `Ratios`, in the order of the forward pass. Layers of integers are left out.

    Raises:
        ZooError: Fewer than two examples; as `zoo.signals.Probe`.

    References:
        As `measured_ratios`.

    Example:

    >>> scale = keras.layers.Rescaling(2.0, name="scale")
    >>> model = keras.Sequential([keras.Input((3,)), scale])
    >>> x, y = np.eye(3), np.ones((3, 3))
    >>> block_ratios(model, x, y, ["scale"], loss="mse")
    {'scale': Ratios(forward=4.0, backward=4.0)}
    """
    places: tuple[Where, ...] = ("input", "output", "input_gradient", "output_gradient")
    probe = Probe(
        model,
        {where: Tap(where, variance) for where in places},
        layers=layers,
        loss=loss,
        training=training,
    )
    if len(keras.tree.flatten(inputs)[0]) < 2:
        raise ZooError("A variance needs at least two examples. Received: one")
    signals = probe(inputs, targets)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: Ratios(
                float(signals["output"][name] / signals["input"][name]),
                float(error / signals["output_gradient"][name]),
            )
            for name, error in signals["input_gradient"].items()
        }


def variance(x: Any) -> Any:
    """Variance over the examples, averaged over everything else; a function for a `Tap`.

    Args:
        x: Tensor (N, …).

    Returns:
        Scalar tensor, float32.

    Example:

    >>> float(variance(np.array([[1.0], [3.0]])))
    1.0
    """
    x = ops.cast(x, "float32")
    return ops.mean(ops.square(x - ops.mean(x, axis=0, keepdims=True)))


def _pure(block: Any, x: Any, training: bool) -> tuple[Callable, list, list]:
    """(call of weights, states and x; weights; states)."""
    if not isinstance(block, keras.Layer):
        return lambda weights, states, x: block(x), [], []
    if not block.built:
        block.build(x.shape)
    arguments = {"training": training} if block._call_has_training_arg else {}

    def call(weights: list, states: list, x: Any) -> Any:
        return block.stateless_call(weights, states, x, **arguments)[0]

    weights = [v.value for v in block.trainable_variables]
    return call, weights, [v.value for v in block.non_trainable_variables]


def _batch(name: str, values: Any) -> np.ndarray:
    values = _host(values)
    if values.ndim < 1 or len(values) < 2:
        raise ZooError(f"{name} needs at least two examples. Received: shape={values.shape}")
    if not np.isfinite(values).all():
        raise ZooError(f"{name} must be finite.")
    return values


def _host(values: Any) -> np.ndarray:
    if ops.is_tensor(values):
        values = ops.convert_to_numpy(ops.cast(values, "float32"))
    return np.asarray(values, "float64")
