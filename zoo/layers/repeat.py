"""Layers of one structure in a row, traced and compiled once: the file that loops on the device."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from zoo.layers import loop_conv
from zoo.types import Tensor

# (x, weights, states) of one layer -> x and states.
_Step: TypeAlias = Callable[[Tensor, list[Tensor], list[Tensor]], tuple[Tensor, list[Tensor]]]

# From this many layers on, in training and in inference, a loop saves more in tracing and compiling
# than it costs (`benchmarks/depth.py`). TensorFlow keeps plain graphs for inference as long as
# they compile in reasonable time: they are what gets exported.
LOOP_FROM = {"jax": (4, 4), "tensorflow": (16, 128)}.get(keras.backend.backend(), (math.inf,) * 2)

_looping = True


@contextlib.contextmanager
def without_loops() -> Iterator[None]:
    """Within it there are no loops: for what looks into the layers or changes them as they run."""
    global _looping
    previous, _looping = _looping, False
    try:
        yield
    finally:
        _looping = previous


def repeat(layers: Sequence[keras.Layer], x: Tensor, training: bool | None = None) -> Tensor:
    """The output of all `layers` in turn, from x.

    Many layers become a loop over their weights: a scan on JAX, a while loop on TensorFlow. The
    weights are stacked within the step only; variables, names and optimizers stay as they are.
    Few layers, layers that are not frozen alike, and PyTorch, which compiles nothing, go one by
    one.

    Args:
        layers: list of layers, built from equal arguments for equal shapes; each gives what the
            next one takes. They draw no random numbers, add no losses (regularizers of weights
            do no harm), and change their states in training only.
        x: tensor.
        training: bool or None, as layers take it.

    Returns:
        Tensor, as the last layer gives it.
    """
    enough = len(layers) >= LOOP_FROM[0 if training else 1]
    if not (_looping and enough and _frozen_alike(layers)):
        for layer in layers:
            x = layer(x, training=training)
        return x

    def step(x: Tensor, weights: list[Tensor], states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        with loop_conv.active():
            return layers[0].stateless_call(weights, states, x, training=training)

    weights = _stack([layer.trainable_variables for layer in layers])
    states = _stack([layer.non_trainable_variables for layer in layers])
    x, new = _LOOPS[keras.backend.backend()](step, x, weights, states)
    if not training:
        return x
    alike = zip(*(layer.non_trainable_variables for layer in layers), strict=True)
    for variables, before, after in zip(alike, states, new, strict=True):
        # What comes in half precision is a copy of a frozen kernel, and no state.
        if keras.backend.standardize_dtype(before.dtype) == layers[0].variable_dtype:
            for variable, value in zip(variables, ops.unstack(after, len(layers)), strict=True):
                variable.assign(value)
    return x


def _frozen_alike(layers: Sequence[keras.Layer]) -> bool:
    flags = [[variable.trainable for variable in layer.variables] for layer in layers]
    return all(other == flags[0] for other in flags)


def _stack(groups: list[list[keras.Variable]]) -> list[Tensor]:
    return [ops.stack([v.value for v in alike]) for alike in zip(*groups, strict=True)]


def _scan(
    step: _Step, x: Tensor, weights: list[Tensor], states: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    import jax

    return jax.lax.scan(lambda x, values: step(x, *values), x, (weights, states))


def _while(
    step: _Step, x: Tensor, weights: list[Tensor], states: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    import tensorflow as tf

    count = (weights or states)[0].shape[0]

    def array(values: Tensor) -> Any:
        return tf.TensorArray(values.dtype, count, element_shape=values.shape[1:])

    weights = [array(values).unstack(values) for values in weights]
    before = [array(values).unstack(values) for values in states]
    after = [array(values) for values in states]

    def body(i: Tensor, x: Tensor, after: list[Any]) -> tuple[Tensor, Tensor, list[Any]]:
        y, new = step(x, [a.read(i) for a in weights], [a.read(i) for a in before])
        after = [a.write(i, value) for a, value in zip(after, new, strict=True)]
        return i + 1, tf.ensure_shape(y, x.shape), after

    _, x, after = tf.while_loop(
        lambda i, *_: i < count, body, (0, x, after), maximum_iterations=count
    )
    return x, [a.stack() for a in after]


_LOOPS = {"jax": _scan, "tensorflow": _while}
