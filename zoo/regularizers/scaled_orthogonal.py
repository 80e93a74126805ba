"""The scale-free orthogonal regularizer of SeqNets."""

from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.regularizers.kernel_matrix import kernel_matrix
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class ScaledOrthogonalRegularizer(keras.regularizers.Regularizer):
    """strength * || n / trace(S) * S - I ||_F^2, S the smaller Gram matrix and n its size.

    W is the kernel as a matrix (fan_in, out), fan_in = height * width * in; S is W^T W where
    fan_in >= out, else W W^T. Zero exactly where the vectors of S are orthogonal and of equal
    length, whatever that length is. Multiplying the kernel by a number changes nothing.

    The paper's program applies it to the 1x1 convolutions only. Its strength is 1e-4 in effect:
    kernels are spread over the devices, and the sum is averaged.

    Args:
        strength: float, at least 0.
        centre_tap: bool. Whether W is the centre tap of a convolution's kernel, (in, out), as for
            a tied pair of convolutions, whose matrix it is.
        constant_trace: bool. Whether the gradient takes the trace as a constant, as the paper's
            program does. The value is the same.

    Call arguments:
        x: kernel of shape (…, in, out), two dimensions or more.

    Returns:
        Scalar, never of lower precision than float32. A kernel of zeros gives strength * n.

    Raises:
        ZooError: for a negative strength or a kernel of fewer than two dimensions.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", appendix B.2.

    Example:

    >>> regularizer = zoo.regularizers.ScaledOrthogonalRegularizer(1.0)
    >>> float(regularizer(5 * keras.ops.eye(3)))  # any length will do
    0.0
    >>> float(regularizer(keras.ops.ones((2, 2))))  # parallel vectors
    2.0
    """

    def __init__(
        self, strength: float = 1e-4, constant_trace: bool = True, centre_tap: bool = False
    ) -> None:
        self.strength = checks.not_negative("strength", strength)
        self.constant_trace = bool(constant_trace)
        self.centre_tap = bool(centre_tap)

    def __call__(self, x: Tensor) -> Tensor:
        if self.centre_tap:
            x = x[tuple(size // 2 for size in x.shape[:-2])]
        w = kernel_matrix(x, type(self).__name__)
        if w.shape[0] < w.shape[1]:
            w = ops.transpose(w)
        gram = ops.matmul(ops.transpose(w), w)
        n = int(gram.shape[0])
        trace = ops.trace(gram)
        if self.constant_trace:
            trace = ops.stop_gradient(trace)
        scaled = gram * (n / ops.maximum(trace, keras.config.epsilon()))
        return self.strength * ops.sum(ops.square(scaled - ops.eye(n, dtype=gram.dtype)))

    def get_config(self) -> dict[str, Any]:
        return {
            "strength": self.strength,
            "constant_trace": self.constant_trace,
            "centre_tap": self.centre_tap,
        }
