"""The orthonormal regularizer, in place of weight decay."""

from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.initializers.orthonormal import output_groups
from zoo.regularizers.kernel_matrix import kernel_matrix
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class OrthonormalRegularizer(keras.regularizers.Regularizer):
    """strength / 2 * || W^T W - I ||_F^2 over the filters of a kernel.

    W is the kernel as a matrix (fan_in, out), fan_in = height * width * in. Where fan_in >= out
    there is one formula. Where fan_in < out, W^T W cannot be I, and there are two:

    * `groups=True`: the sum over the groups of `zoo.initializers.Orthonormal` (at most fan_in
      filters each), whose minimum is 0. This is what the paper demands.
    * `groups=False`: the plain formula over all filters, whose minimum is
      strength / 2 * (out - fan_in). It is computed through the smaller Gram matrix,
      ||W W^T - I||^2 + (out - fan_in), equal in value and gradient.

    Do not use it together with L2 weight decay in one model (section 4: the two pull the
    parameters to different manifolds).

    Args:
        strength: float, at least 0. The paper uses 1e-4.
        groups: bool. The form for fan_in < out.

    Call arguments:
        x: kernel of shape (…, in, out), two dimensions or more.

    Returns:
        Scalar, never of lower precision than float32.

    Raises:
        ZooError: for a negative strength or a kernel of fewer than two dimensions.

    References:
        - Xie et al., "All You Need is Beyond a Good Init", equation 3 and section 4.

    Example:

    >>> regularizer = zoo.regularizers.OrthonormalRegularizer(1.0)
    >>> float(regularizer(keras.ops.eye(3)))
    0.0
    >>> float(regularizer(2 * keras.ops.eye(3)))  # 1/2 * 3 * (4 - 1)^2
    13.5
    """

    def __init__(self, strength: float = 1e-4, groups: bool = True) -> None:
        self.strength = checks.not_negative("strength", strength)
        self.groups = bool(groups)

    def __call__(self, x: Tensor) -> Tensor:
        w = kernel_matrix(x, type(self).__name__)
        fan_in, out = (int(n) for n in w.shape)
        if fan_in >= out:
            total = _squared_deviation(ops.matmul(ops.transpose(w), w))
        elif self.groups:
            total = 0.0
            for group in output_groups(fan_in, out):
                part = w[:, group]
                total = total + _squared_deviation(ops.matmul(ops.transpose(part), part))
        else:
            total = _squared_deviation(ops.matmul(w, ops.transpose(w))) + float(out - fan_in)
        return 0.5 * self.strength * total

    def get_config(self) -> dict[str, Any]:
        return {"strength": self.strength, "groups": self.groups}


def _squared_deviation(gram: Tensor) -> Tensor:
    """||gram - I||_F^2. The expanded form would lose every digit where gram is close to I."""
    return ops.sum(ops.square(gram - ops.eye(gram.shape[0], dtype=gram.dtype)))
