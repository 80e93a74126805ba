"""A kernel as the matrix that the papers' formulas are about."""

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.types import Tensor


def kernel_matrix(x: Tensor, regularizer: str) -> Tensor:
    """(…, in, out) -> (fan_in, out), at least float32: near orthonormality the regularizers sum
    differences of almost equal numbers."""
    if len(x.shape) < 2:
        raise ZooError(
            f"{regularizer} needs a kernel of at least two dimensions (…, in, out). "
            f"Received: shape={tuple(x.shape)}"
        )
    w = ops.reshape(x, (-1, int(x.shape[-1])))
    return ops.cast(w, keras.backend.result_type(w.dtype, "float32"))
