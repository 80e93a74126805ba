"""Max-norm on the weight vector of every hidden unit."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class MaxNorm(keras.constraints.Constraint):
    """Bounds the Euclidean norm of each unit's incoming weights, for any kernel.

    The weight vector of a unit is one column of a dense kernel `(in, out)` or one filter of a
    convolution kernel `(..., in, out)`: every axis but the last. `keras.constraints.MaxNorm` takes
    one fixed `axis`, whose default bounds something else on a convolution; this one reads the axes
    off the kernel, so one object serves a whole network.

    Vectors within the bound stay bit-equal; longer ones are scaled back to it.

    Source: Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
    Connections", section VI.C (max-norm 3).

    Args:
        max_value: float > 0. The largest norm a unit may have.

    Raises:
        ValueError: if `max_value` is not positive.

    Example:

    >>> layer = keras.layers.Conv2D(16, 3, kernel_constraint=zoo.constraints.MaxNorm(3))
    """

    def __init__(self, max_value: float = 3.0):
        if not max_value > 0:
            raise ValueError(f"max_value must be positive. Received: max_value={max_value}")
        self.max_value = float(max_value)

    def __call__(self, w):
        axes = tuple(range(len(w.shape) - 1))
        norm = ops.sqrt(ops.sum(ops.square(w), axis=axes, keepdims=True))
        # A factor of exactly 1 inside the bound; the maximum also keeps zero vectors finite.
        return w * (self.max_value / ops.maximum(norm, self.max_value))

    def get_config(self):
        return {"max_value": self.max_value}
