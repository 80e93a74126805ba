"""The pair of dense layers that SeqNets are made of."""

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.seq_pair import SeqPair
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class SeqDensePair(SeqPair):
    """BN(M^T ReLU(W x)): a pair of dense layers whose kernels start as each other's transpose.

    W has shape (expansion * d, d). At the start M = W, which keeps the gradient from exploding in
    a plain chain of pairs: for random kernels and k = `expansion` the pair multiplies the variance
    of signals by 1 + 2/k (1 - 1/pi) and that of their derivatives by 1 + 2/k, where independent
    matrices give 2/k (1 - 1/pi) and 2/k.

    `model.quantize` leaves pairs in floating point and says so: a tied kernel is read in two
    places, of which Keras would quantize one.

    Args:
        units: int or None. Outputs; None for as many as inputs.
        expansion: int, 2 or more. k, hidden units per input.
        tied: bool. Whether M is W for good: one kernel, whose gradient is the sum of both uses.
            Only with as many outputs as inputs. Otherwise M has its own kernel that starts as W.
        init: str, "random", "orthogonal" or "linear", or the paper's letters "R", "O" and "L",
            see `zoo.initializers.SeqExpand`. Under "linear" the pair starts linear: x where tied,
            x / 2 where not (before the normalization).
        inner_bias: bool. Whether a bias comes before the ReLU.
        inner_norm: bool. Whether a batch normalization comes before the ReLU.
        norm: bool. Whether a batch normalization ends the pair.
        orthogonal: float, at least 0. Strength of `zoo.regularizers.ScaledOrthogonalRegularizer`
            on the kernels.
        weight_decay: float, at least 0. Coefficient d of L2 weight decay, whose gradient is
            d * w, on the weights of
        decay: str. "kernels", or "all" for the inner bias and the normalizations, too.
        seed: int or None, for the kernels.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (…, d).
        training: bool. Whether the normalizations take the batch's statistics.

    Input shape:
        (…, d), d known.

    Output shape:
        (…, units).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for an argument out of range, an unknown init, a tied pair with units != d, or
            a quantized dtype policy.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 4 and
          proposition 4.1.

    Example:

    >>> pair = zoo.layers.SeqDensePair(tied=True, init="linear", norm=False)
    >>> np.round(pair(np.array([[1.0, -2.0, 3.0]])), 4).tolist()
    [[1.0, -2.0, 3.0]]
    >>> [tuple(v.shape) for v in pair.weights]  # one kernel
    [(3, 6)]
    """

    def __init__(self, units: int | None = None, expansion: int = 2, **kwargs: Any) -> None:
        super().__init__(units, expansion, **kwargs)
        if self.quantization_mode:
            raise ZooError(
                f"SeqDensePair works in floating point. Received: dtype={self.dtype_policy.name!r}"
            )

    def _linear(
        self, units: int, size: int, initializer: keras.Initializer, name: str
    ) -> keras.Layer:
        return _Dense(
            units,
            use_bias=False,
            kernel_initializer=initializer,
            kernel_regularizer=self._regularizer(size),
            dtype=self.dtype_policy,
            name=name,
        )

    def _tied(self, x: Tensor, kernel: Tensor) -> Tensor:
        return ops.matmul(x, ops.transpose(kernel))


class _Dense(keras.layers.Dense):
    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: Any = None
    ) -> None:
        # `model.quantize` warns with this text and goes on to the next layer.
        raise NotImplementedError(
            f"{self.path or self.name} stays in floating point: the kernels of a SeqDensePair "
            "cannot be quantized, one of them may be used twice."
        )
