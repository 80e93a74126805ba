"""Orthonormal initialization of the centre of each kernel."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.initializers.orthonormal import Orthonormal
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class DeltaOrthonormal(Orthonormal):
    """Convolution kernels that start as an orthonormal map of channels at each position.

    The centre tap is `Orthonormal` of shape (in, out), all other taps are 0. Where in >= out,
    W^T W = I holds for the whole kernel, as it does for `Orthonormal`. The difference is between
    positions: a chain of kernels with random taps mixes and blurs the map with every layer, a
    chain of these hands each position on as it is.

    The paper's algorithm needs in <= out and makes rows orthonormal; here columns are, in groups
    of at most `in`. SeqNets start with centre taps alone, too (`SeqExpand`, `SeqContract`).

    Args:
        gain: float. Factor on the orthonormal matrix.
        seed: int or None. With an int, equal shapes get equal kernels.

    Call arguments:
        shape: (…, in, out), the sizes before the last two odd.
        dtype: str or None, for Keras's `floatx`.

    Returns:
        Tensor of `shape`.

    Raises:
        ZooError: when called, for a kernel with an even side, which has no centre.

    References:
        - Xiao et al., "Dynamical Isometry and a Mean Field Theory of CNNs: How to Train
          10,000-Layer Vanilla Convolutional Neural Networks", algorithm 1.

    Example:

    >>> kernel = np.array(zoo.initializers.DeltaOrthonormal(seed=0)((3, 3, 4, 4)))
    >>> centre = kernel[1, 1]
    >>> np.allclose(centre.T @ centre, np.eye(4), atol=1e-6)
    True
    >>> int((kernel != 0).sum())  # of 3 * 3 * 16
    16
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        sides, channels = tuple(shape[:-2]), tuple(shape[-2:])
        if any(side % 2 == 0 for side in sides):
            raise ZooError(
                "DeltaOrthonormal needs kernels with odd sides, which have a centre. "
                f"Received: shape={tuple(shape)}"
            )
        centre = keras.ops.convert_to_numpy(super().__call__(channels, "float32"))
        kernel = np.zeros(shape, "float32")
        kernel[tuple(side // 2 for side in sides)] = centre
        return keras.ops.convert_to_tensor(kernel, dtype=dtype or keras.config.floatx())
