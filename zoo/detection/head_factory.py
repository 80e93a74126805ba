"""What the new layers of a detector have in common."""

import math
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers

# Deviations of the Gaussians that the layers for scores and for boxes start from (Girshick, "Fast
# R-CNN", section 2.3), so that training starts from no opinion.
SCORES, DELTAS = 0.01, 0.001


@dataclass(frozen=True)
class HeadFactory:
    """Makes the layers behind the backbone. Their names are the keys of checkpoints.

    Attributes:
        norm: str, "none", or "group" for group normalization of 32 groups, of as many as divide
            the filters where these are fewer.
        weight_decay: float, coefficient d of L2 weight decay of kernels, whose gradient is d * w.
        dtype: `keras.DTypePolicy` of the layers.

    References:
        - Wu, He, "Group Normalization", section 4.2.

    Example:

    >>> factory = HeadFactory(norm="group")
    >>> factory.conv_norm(factory.input((8, 8, 3), "map"), 16, 3, "conv").shape
    (None, 8, 8, 16)
    """

    norm: str = "none"
    weight_decay: float = 0.0
    dtype: keras.DTypePolicy = field(default_factory=lambda: keras.dtype_policies.get(None))

    def input(self, shape: tuple[int | None, ...], name: str) -> keras.KerasTensor:
        """What a part takes, in the precision that its layers compute in."""
        return keras.Input(shape, dtype=self.dtype.compute_dtype, name=name)

    def common(self, name: str, start: str | float) -> dict[str, Any]:
        """Keyword arguments of a layer with a kernel.

        Args:
            name: of the layer.
            start: name of the kernel's initializer, or the deviation of a Gaussian.
        """
        decay = self.weight_decay / 2
        if isinstance(start, float):
            start = keras.initializers.RandomNormal(stddev=start)
        return {
            "kernel_initializer": start,
            "kernel_regularizer": keras.regularizers.L2(decay) if decay else None,
            "dtype": self.dtype,
            "name": name,
        }

    def conv(
        self,
        x: keras.KerasTensor,
        filters: int,
        size: int,
        name: str,
        start: str | float = "he_normal",
    ) -> keras.KerasTensor:
        """A convolution with a bias, of unchanged size, and nothing else."""
        return layers.Conv2D(
            filters, size, padding="same", data_format="channels_last", **self.common(name, start)
        )(x)

    def conv_norm(
        self,
        x: keras.KerasTensor,
        filters: int,
        size: int,
        name: str,
        start: str | float = "he_normal",
    ) -> keras.KerasTensor:
        """Convolution - group normalization; with `norm="none"` a convolution with a bias."""
        if self.norm == "none":
            return self.conv(x, filters, size, name, start)
        common = self.common(name, start)
        x = layers.Conv2D(
            filters, size, padding="same", data_format="channels_last", use_bias=False, **common
        )(x)
        groups = math.gcd(32, filters)
        return layers.GroupNormalization(
            groups, epsilon=1e-5, dtype=self.dtype, name=f"{name}_norm"
        )(x)

    def relu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """ReLU, a layer called `name` and "_relu"."""
        return layers.ReLU(dtype=self.dtype, name=f"{name}_relu")(x)

    def dense(
        self, x: keras.KerasTensor, units: int, name: str, start: str | float = "he_normal"
    ) -> keras.KerasTensor:
        """A dense layer with a bias."""
        return layers.Dense(units, **self.common(name, start))(x)
