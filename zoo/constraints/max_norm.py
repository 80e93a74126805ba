"""Max-norm on the weight vector of every hidden unit."""

from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class MaxNorm(keras.constraints.Constraint):
    """Bounds the Euclidean norm of each unit's incoming weights, for any kernel.

    The weight vector of a unit is one column of a dense kernel (in, out) or one filter of a
    convolution kernel (…, in, out): every axis but the last. `keras.constraints.MaxNorm` takes
    one fixed `axis`, whose default bounds something else on a convolution; this one reads the axes
    off the kernel, so one object serves a whole network.

    Vectors within the bound stay bit-equal; longer ones are scaled back to it.

    Args:
        max_value: float above 0. The largest norm that a unit may have.

    Call arguments:
        w: kernel (…, out).

    Returns:
        Kernel of the same shape.

    Raises:
        ZooError: for a `max_value` that is not positive.

    References:
        - Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
          Connections", section VI.C (max-norm 3).

    Example:

    >>> constraint = zoo.constraints.MaxNorm(3)
    >>> kernel = keras.ops.convert_to_tensor([[0.0, 6.0], [1.0, 8.0]])  # norms 1 and 10
    >>> print(np.round(constraint(kernel), 3))
    [[0.  1.8]
     [1.  2.4]]
    """

    def __init__(self, max_value: float = 3.0) -> None:
        self.max_value = checks.number("max_value", max_value, "a number above 0", lambda x: x > 0)

    def __call__(self, w: Tensor) -> Tensor:
        axes = tuple(range(len(w.shape) - 1))
        norm = ops.sqrt(ops.sum(ops.square(w), axis=axes, keepdims=True))
        # A factor of exactly 1 inside the bound; the maximum also keeps zero vectors finite.
        return w * (self.max_value / ops.maximum(norm, self.max_value))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value}
