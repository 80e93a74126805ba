"""A kernel as the matrix that the papers' formulas are about."""

import keras
from keras import ops


def kernel_matrix(x, regularizer: str):
    """(…, in, out) -> (fan_in, out), at least float32: near orthonormality the regularizers sum
    differences of almost equal numbers."""
    if len(x.shape) < 2:
        raise ValueError(
            f"{regularizer} needs a kernel of at least two dimensions (…, in, out). "
            f"Received: shape={tuple(x.shape)}"
        )
    w = ops.reshape(x, (-1, int(x.shape[-1])))
    return ops.cast(w, keras.backend.result_type(w.dtype, "float32"))
