"""The pair of convolutions that SeqNets are made of."""

from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm
from zoo.layers.seq_pair import SeqPair
from zoo.layers.symmetric_conv2d import SymmetricConv2D
from zoo.layers.symmetric_max_pool2d import SymmetricMaxPool2D
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class SeqConvPair2D(SeqPair):
    """BN(contract(ReLU(pool(expand(x))))): the pair as convolutions, one of them 3x3 or both 1x1.

    `expand` maps d to expansion * d channels, `contract` those to `units`. As
    `zoo.layers.SeqDensePair` at the start in each pixel: only the centre taps are filled. Where
    tied, the one kernel is that of the larger convolution; the other convolution, 1x1, is its
    centre tap transposed.

    Args:
        units: int or None. Output channels; None for as many as inputs.
        expansion: int, 2 or more. Hidden channels per input channel.
        expand_size: int. Side of the first kernel, odd.
        contract_size: int. Side of the second kernel, odd; at least one of the two is 1. Both
            convolutions are padded on all sides.
        pool: bool. Whether a max pooling 3x3/2 (padded alike with minus infinity) follows
            `expand`.
        **kwargs: `tied`, `init`, `independent`, `inner_bias`, `inner_norm`, `norm`,
            `weight_decay`, `decay` and `seed` as for `zoo.layers.SeqDensePair`; `orthogonal` as
            there, on 1x1 kernels only ("pointwise", as the paper's program has it), or with
            `orthogonal_on="pairs"` on the centre tap of a tied kernel, too, which is the matrix of
            the pair; arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (N, H, W, d).
        training: bool. Whether the normalizations take the batch's statistics.

    Input shape:
        (N, H, W, d), d known.

    Output shape:
        (N, H, W, units); with `pool` (N, ceil(H / 2), ceil(W / 2), units).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: as `zoo.layers.SeqDensePair`, and for sizes that are even or both above 1.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 4.2; inner bias,
          inner normalization, tying and the place of the 3x3 convolution: appendix B.2.

    Example:

    >>> pair = zoo.layers.SeqConvPair2D(16, pool=True, name="pair")
    >>> tuple(pair(np.zeros((2, 9, 8, 4))).shape)
    (2, 5, 4, 16)
    >>> {v.path: tuple(v.shape) for v in pair.weights if "kernel" in v.path}
    {'pair/expand/kernel': (3, 3, 4, 8), 'pair/contract/kernel': (1, 1, 8, 16)}
    """

    def __init__(
        self,
        units: int | None = None,
        expansion: int = 2,
        *,
        expand_size: int = 3,
        contract_size: int = 1,
        pool: bool = False,
        **kwargs: Any,
    ) -> None:
        self.expand_size = checks.integer("expand_size", expand_size, least=1)
        self.contract_size = checks.integer("contract_size", contract_size, least=1)
        sizes = (self.expand_size, self.contract_size)
        if min(sizes) != 1 or max(sizes) % 2 == 0:
            raise ZooError(
                "expand_size and contract_size must be odd, at least one of them 1. "
                f"Received: expand_size={expand_size}, contract_size={contract_size}"
            )
        self.pool = bool(pool)
        super().__init__(units, expansion, **kwargs)
        self._max_pool_layer = (
            SymmetricMaxPool2D(3, 2, dtype=self.dtype_policy) if self.pool else None
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "expand_size": self.expand_size,
            "contract_size": self.contract_size,
            "pool": self.pool,
        }

    def _linear(
        self, units: int, size: int, initializer: keras.Initializer, name: str
    ) -> keras.Layer:
        return SymmetricConv2D(
            units,
            size,
            use_bias=False,
            kernel_initializer=initializer,
            kernel_regularizer=self._regularizer(size),
            dtype=self.dtype_policy,
            name=name,
        )

    def _tied(self, x: Tensor, kernel: Tensor) -> Tensor:
        centre = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
        kernel = ops.reshape(ops.transpose(centre), (1, 1, *reversed(centre.shape)))
        return ops.conv(x, kernel, padding="valid", data_format="channels_last")

    def _pooled(self, shape: Shape) -> Shape:
        return self._max_pool_layer.compute_output_shape(shape) if self._max_pool_layer else shape

    def _max_pool(self, x: Tensor) -> Tensor:
        return self._max_pool_layer(x) if self._max_pool_layer else x

    def _pool_form(self, form: KerasForm, x: Any, name: str) -> Any:
        return form.apply(self._max_pool_layer, x, name) if self._max_pool_layer else x
