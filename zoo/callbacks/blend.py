"""All averages of `WeightAverage` moved at once: a thousand small operations one by one would cost
up to a tenth of a training step.

`compiled(averages, weights)` gives a function of `share` that sets each average to
average + share * (weight - average), in float32.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
from keras import ops

_Variables: TypeAlias = Sequence[keras.Variable]


def _plain(averages: _Variables, weights: _Variables) -> Callable[[float], None]:
    def blend(share: float) -> None:
        for average, weight in zip(averages, weights, strict=True):
            now = ops.cast(ops.stop_gradient(weight.value), "float32")
            average.assign(average.value + (now - average.value) * share)

    return blend


def _tensorflow(averages: _Variables, weights: _Variables) -> Callable[[float], None]:
    import tensorflow as tf

    blend = tf.function(_plain(averages, weights))
    return lambda share: blend(tf.constant(share, "float32"))


def _jax(averages: _Variables, weights: _Variables) -> Callable[[float], None]:
    import jax

    @jax.jit
    def blended(old: list[jax.Array], new: list[jax.Array], share: float) -> list[jax.Array]:
        return [a + (w.astype("float32") - a) * share for a, w in zip(old, new, strict=True)]

    def blend(share: float) -> None:
        values = blended([a.value for a in averages], [w.value for w in weights], share)
        for average, value in zip(averages, values, strict=True):
            average.assign(value)

    return blend


compiled = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _plain)
