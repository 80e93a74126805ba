"""The pair of linear layers that SeqNets are made of: dense, and as convolutions."""

import random

import keras
from keras import layers, ops

from zoo.initializers import SeqContract, SeqExpand
from zoo.layers.batch_normalization import BATCH_NORM, BatchNormalization
from zoo.layers.symmetric_conv2d import SymmetricConv2D
from zoo.layers.symmetric_max_pool2d import SymmetricMaxPool2D
from zoo.regularizers import ScaledOrthogonalRegularizer, Sum


class _SeqPair(keras.layers.Layer):
    """What both kinds of pairs share. A subclass gives the layers and the tied operation."""

    expand_size = contract_size = 1
    pool = False

    def __init__(
        self,
        units: int | None = None,
        expansion: int = 2,
        *,
        tied: bool = False,
        init: str = "R",
        inner_bias: bool = False,
        inner_norm: bool = False,
        norm: bool = True,
        orthogonal: float = 0.0,
        weight_decay: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if units is not None and units < 1:
            raise ValueError(f"The outputs must be positive or None. Received: {units}")
        if int(expansion) != expansion or expansion < 2:
            raise ValueError(
                f"expansion must be an integer of at least 2. Received: expansion={expansion}"
            )
        SeqExpand(init, seed=0)  # refuses an unknown one here, not only when the layer is built
        self.units, self.expansion, self.tied, self.init = units, int(expansion), tied, init
        self.use_inner_bias, self.use_inner_norm, self.use_norm = inner_bias, inner_norm, norm
        self.orthogonal, self.weight_decay = orthogonal, weight_decay
        self.seed = seed
        self._draw_seed = seed if seed is not None else random.randint(1, 2**31 - 1)
        # A tied pair has one kernel, in the layer whose kernel is the larger.
        self._owner = "contract" if self.contract_size > self.expand_size else "expand"
        self.expand = self.contract = self.inner_bias = self.inner_norm = self.norm = None

    def build(self, input_shape):
        inputs = input_shape[-1]
        hidden, outputs = self.expansion * inputs, self.units or inputs
        if self.tied and outputs != inputs:
            raise ValueError(
                "A tied pair has as many outputs as inputs. "
                f"Received: inputs={inputs}, outputs={outputs}"
            )
        inner = (*input_shape[:-1], hidden)
        pooled = (*self._pooled(input_shape)[:-1], hidden)
        shared = {"use_bias": False, "dtype": self.dtype_policy}
        if not self.tied or self._owner == "expand":
            self.expand = self._linear(
                hidden,
                self.expand_size,
                kernel_initializer=SeqExpand(self.init, self._draw_seed),
                name="expand",
                **shared,
            )
            self.expand.build(input_shape)
        if self.use_inner_bias:
            self.inner_bias = self.add_weight(
                shape=(hidden,), initializer="zeros", name="inner_bias"
            )
        if self.use_inner_norm:
            self.inner_norm = BatchNormalization(
                **BATCH_NORM, dtype=self.dtype_policy, name="inner_norm"
            )
            self.inner_norm.build(inner)
        if not self.tied or self._owner == "contract":
            # The published program halves this start of a free kernel: the pair is then x / 2.
            gain = 0.5 if self.init == "L" and not self.tied else 1.0
            self.contract = self._linear(
                outputs,
                self.contract_size,
                kernel_initializer=SeqContract(self.init, inputs, gain, self._draw_seed),
                name="contract",
                **shared,
            )
            self.contract.build(pooled)
        if self.use_norm:
            self.norm = BatchNormalization(**BATCH_NORM, dtype=self.dtype_policy, name="norm")
            self.norm.build((*pooled[:-1], outputs))

    def call(self, x, training=None):
        x = self.expand(x) if self.expand else self._tied(x, self.contract.kernel)
        if self.inner_bias is not None:
            x = ops.add(x, self.inner_bias)
        if self.inner_norm:
            x = self.inner_norm(x, training=training)
        x = ops.relu(self._max_pool(x))
        x = self.contract(x) if self.contract else self._tied(x, self.expand.kernel)
        return self.norm(x, training=training) if self.norm else x

    def extra_macs(self) -> int:
        """Multiply-adds per example of the tied operation, which no layer of its own computes.

        Raises:
            ValueError: if the sizes of the input are not known.
        """
        if not self.tied:
            return 0
        shape = self.get_build_config()["input_shape"]
        sides = (shape if self._owner == "contract" else self._pooled(shape))[1:-1]
        if None in sides:
            raise ValueError(f"{self.name}: the size of the input is not known: {tuple(shape)}")
        macs = self.expansion * shape[-1] ** 2
        for side in sides:
            macs *= side
        return macs

    def compute_output_shape(self, input_shape):
        return (*self._pooled(input_shape)[:-1], self.units or input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "expansion": self.expansion,
            "tied": self.tied,
            "init": self.init,
            "inner_bias": self.use_inner_bias,
            "inner_norm": self.use_inner_norm,
            "norm": self.use_norm,
            "orthogonal": self.orthogonal,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
        }

    def _regularizer(self, size: int):
        terms = []
        if self.weight_decay:
            terms.append(keras.regularizers.L2(self.weight_decay / 2))
        if self.orthogonal and size == 1:
            terms.append(ScaledOrthogonalRegularizer(self.orthogonal))
        return Sum(terms) if terms else None

    def _pooled(self, shape):
        return shape

    def _max_pool(self, x):
        return x


@keras.saving.register_keras_serializable("zoo")
class SeqDensePair(_SeqPair):
    """BN(M^T ReLU(W x)): a pair of dense layers whose kernels start as each other's transpose.

    W has shape (expansion * d, d). At the start M = W, which keeps the gradient from exploding in
    a plain chain of pairs: for init "R" and k = `expansion` the pair multiplies the variance of
    signals by 1 + 2/k (1 - 1/pi) and that of their derivatives by 1 + 2/k, where independent
    matrices give 2/k (1 - 1/pi) and 2/k.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 4 and
    proposition 4.1.

    Args:
        units: outputs; None for as many as inputs.
        expansion: k, hidden units per input, 2 or more.
        tied: whether M is W for good: one kernel, whose gradient is the sum of both uses. Only
            with as many outputs as inputs. Otherwise M has its own kernel that starts as W.
        init: "R", "O" or "L", see `zoo.initializers.SeqExpand`. Under "L" the pair starts
            linear: x where tied, x / 2 where not (before the normalization).
        inner_bias, inner_norm: a bias, a batch normalization before the ReLU.
        norm: whether the batch normalization follows.
        orthogonal: strength of `zoo.regularizers.ScaledOrthogonalRegularizer` on the kernels.
        weight_decay: coefficient d of L2 weight decay, whose gradient is d * w, on the kernels.
        seed: int or None, for the kernels.

    Call arguments:
        x: (…, d).

    Returns:
        (…, units).

    Raises:
        ValueError: for an expansion below 2, an unknown init, a tied pair with units != d.

    Example:

    >>> model = keras.Sequential([zoo.layers.SeqDensePair(expansion=2) for _ in range(50)])
    """

    def _linear(self, units, size, **kwargs):
        return layers.Dense(units, kernel_regularizer=self._regularizer(size), **kwargs)

    def _tied(self, x, kernel):
        return ops.matmul(x, ops.transpose(kernel))


@keras.saving.register_keras_serializable("zoo")
class SeqConvPair2D(_SeqPair):
    """BN(contract(ReLU(pool(expand(x))))): the pair as convolutions, one of them 3x3 or both 1x1.

    `expand` maps d to expansion * d channels, `contract` those to `units`. As
    `zoo.layers.SeqDensePair` at the start in each pixel: only the centre taps are filled. Where
    tied, the one kernel is that of the larger convolution; the other convolution, 1x1, is its
    centre tap transposed.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 4.2; inner
    bias, inner normalization, tying and the place of the 3x3 convolution: appendix B.2.

    Args:
        units: output channels; None for as many as inputs.
        expansion, tied, init, inner_bias, inner_norm, norm, weight_decay, seed: see
            `zoo.layers.SeqDensePair`.
        orthogonal: as there, on 1x1 kernels only, as the paper's program has it.
        expand_size, contract_size: sizes of the two convolutions, odd, at least one of them 1;
            padded on both sides.
        pool: whether a max pooling 3x3/2 (padded alike with minus infinity) follows `expand`.

    Call arguments:
        x: (N, H, W, d).

    Returns:
        (N, H, W, units); with `pool` (N, ceil(H / 2), ceil(W / 2), units).

    Raises:
        ValueError: as `zoo.layers.SeqDensePair`, and for sizes that are even or both above 1.
    """

    def __init__(
        self,
        units: int | None = None,
        expansion: int = 2,
        *,
        expand_size: int = 3,
        contract_size: int = 1,
        pool: bool = False,
        **kwargs,
    ):
        sizes = (expand_size, contract_size)
        if min(sizes) != 1 or max(sizes) % 2 == 0:
            raise ValueError(
                "expand_size and contract_size must be odd, at least one of them 1. "
                f"Received: expand_size={expand_size}, contract_size={contract_size}"
            )
        self.expand_size, self.contract_size, self.pool = expand_size, contract_size, pool
        super().__init__(units, expansion, **kwargs)
        self._max_pool_layer = SymmetricMaxPool2D(3, 2, dtype=self.dtype_policy) if pool else None

    def get_config(self):
        return {
            **super().get_config(),
            "expand_size": self.expand_size,
            "contract_size": self.contract_size,
            "pool": self.pool,
        }

    def _linear(self, units, size, **kwargs):
        return SymmetricConv2D(units, size, kernel_regularizer=self._regularizer(size), **kwargs)

    def _tied(self, x, kernel):
        centre = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
        kernel = ops.reshape(ops.transpose(centre), (1, 1, *reversed(centre.shape)))
        return ops.conv(x, kernel, padding="valid", data_format="channels_last")

    def _pooled(self, shape):
        return self._max_pool_layer.compute_output_shape(shape) if self.pool else shape

    def _max_pool(self, x):
        return self._max_pool_layer(x) if self.pool else x
