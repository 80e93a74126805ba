"""All averages of `WeightAverage` moved at once: a thousand small operations one by one would cost
up to a tenth of a training step.

`compiled(averages, weights)` gives a function of `share` that sets each average to
average + share * (weight - average), in float32.
"""

import keras
from keras import ops


def _plain(averages, weights):
    def blend(share):
        for average, weight in zip(averages, weights, strict=True):
            now = ops.cast(ops.stop_gradient(weight.value), "float32")
            average.assign(average.value + (now - average.value) * share)

    return blend


def _tensorflow(averages, weights):
    import tensorflow as tf

    blend = tf.function(_plain(averages, weights))
    return lambda share: blend(tf.constant(share, "float32"))


def _jax(averages, weights):
    import jax

    @jax.jit
    def blended(old, new, share):
        return [a + (w.astype("float32") - a) * share for a, w in zip(old, new, strict=True)]

    def blend(share):
        values = blended([a.value for a in averages], [w.value for w in weights], share)
        for average, value in zip(averages, values, strict=True):
            average.assign(value)

    return blend


compiled = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _plain)
