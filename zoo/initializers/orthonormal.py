"""Group-wise orthonormal initialization."""

import math
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo import checks
from zoo.errors import ZooError
from zoo.types import Tensor


def output_groups(fan_in: int, out: int) -> list[slice]:
    """The slices of output filters that are orthonormal among themselves.

    At most `fan_in` vectors of that dimension can be orthonormal, so `out` filters form
    ceil(out / fan_in) groups, the last one possibly smaller. (The paper prints the number of
    groups as f_out / f_in + f_out mod f_in, which is that only where the remainder is 0 or 1.)
    """
    return [slice(start, min(start + fan_in, out)) for start in range(0, out, fan_in)]


@keras.saving.register_keras_serializable("zoo")
class Orthonormal(keras.initializers.Initializer):
    """Filters that are orthonormal, within groups of at most fan-in filters.

    With the kernel as a matrix W of shape (fan_in, out), fan_in = height * width * in: where
    fan_in >= out, W^T W = I. Where fan_in < out, the filters are split into ceil(out / fan_in)
    groups and W_g^T W_g = I within each. `keras.initializers.Orthogonal` instead makes the *rows*
    orthonormal in that case, which gives filters shorter than 1.

    Gram-Schmidt over random normal vectors, computed as a QR decomposition whose diagonal is
    made positive.

    Args:
        gain: float. Factor on the orthonormal matrix.
        seed: int or None. With an int, equal shapes get equal kernels.

    Call arguments:
        shape: (…, in, out), two dimensions or more.
        dtype: str or None, for Keras's `floatx`.

    Returns:
        Tensor of `shape`.

    Raises:
        ZooError: for a gain or seed that is no such number; when called, for a shape of fewer
            than two dimensions.

    References:
        - Xie et al., "All You Need is Beyond a Good Init", section 4.

    Example:

    >>> kernel = np.array(zoo.initializers.Orthonormal(seed=0)((3, 3, 4, 8)))
    >>> w = kernel.reshape(36, 8)
    >>> np.allclose(w.T @ w, np.eye(8), atol=1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = checks.number("gain", gain, "a finite number", math.isfinite)
        self.seed = checks.seed(seed)
        # As Keras's own initializers do: unseeded ones follow keras.utils.set_random_seed.
        self._draw_seed = random.randint(1, 2**31 - 1) if self.seed is None else self.seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        if len(shape) < 2:
            raise ZooError(
                "Orthonormal needs a kernel of at least two dimensions (…, in, out). "
                f"Received: shape={tuple(shape)}"
            )
        fan_in, out = int(np.prod(shape[:-1])), int(shape[-1])
        rng = np.random.default_rng([self._draw_seed, *map(int, shape)])
        kernel = np.empty((fan_in, out))
        for group in output_groups(fan_in, out):
            q, r = np.linalg.qr(rng.standard_normal((fan_in, group.stop - group.start)))
            kernel[:, group] = q * np.sign(np.diag(r))
        value = (self.gain * kernel).reshape(shape)
        return keras.ops.convert_to_tensor(value, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}
