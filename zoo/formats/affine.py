"""Affine maps per channel, and the layers of Keras whose kernels take them up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.layers.keras_form import to_numpy

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Affine:
    """y = scale * x + shift along the last axis.

    Attributes:
        scale, shift: float64 arrays (C,).
    """

    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, layer: keras.Layer) -> Affine | None:
        """What a layer does in inference, or None where that is something else."""
        if type(layer) not in (layers.BatchNormalization, layers.Rescaling):
            return None
        rank, channels = len(layer.output.shape), layer.output.shape[-1]
        if isinstance(layer, layers.BatchNormalization):
            if layer.axis not in (-1, rank - 1):
                return None
            mean, variance = _float64(layer.moving_mean), _float64(layer.moving_variance)
            scale = 1 / np.sqrt(variance + layer.epsilon)
            if layer.scale:
                scale = scale * _float64(layer.gamma)
            shift = -mean * scale
            return cls(scale, shift + _float64(layer.beta) if layer.center else shift)
        if channels is None or np.ndim(layer.scale) or np.ndim(layer.offset):
            return None
        ones = np.ones(channels)
        return cls(float(layer.scale) * ones, float(layer.offset) * ones)

    @property
    def rises(self) -> bool:
        """Whether it keeps the order, so that a maximum may be taken before or behind it."""
        return bool((self.scale > 0).all())

    @property
    def moves_zero(self) -> bool:
        return bool(self.shift.any())


@dataclass(frozen=True)
class Linear:
    """A convolution or dense layer, whose kernel takes up affine maps on either side.

    Attributes:
        layer: of Keras, channels last.
        kernel: float64 array, (…, inputs / groups, outputs), of a depthwise convolution (…,
            inputs, multiplier).
        bias: float64 array (outputs,); zeros for a missing one.
    """

    layer: Any
    kernel: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, layer: Any) -> Linear | None:
        """A layer as this, or None for one that has no such kernel."""
        if type(layer) not in (*CONVOLUTIONS, layers.Dense) or layer.output.shape[-1] is None:
            return None
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        bias = _float64(layer.bias) if layer.use_bias else np.zeros(layer.output.shape[-1])
        return cls(layer, _float64(layer.kernel), bias)

    @property
    def weights(self) -> list[np.ndarray]:
        """Kernel and bias in float32."""
        return [self.kernel.astype("float32"), self.bias.astype("float32")]

    @property
    def has_activation(self) -> bool:
        return self.layer.activation is not keras.activations.linear

    @property
    def pads(self) -> bool:
        """Whether zeros at the border count as pixels."""
        return isinstance(self.layer, CONVOLUTIONS) and (
            self.layer.padding != "valid" and max(self.layer.kernel_size) > 1
        )

    def before(self, affine: Affine) -> Linear:
        """The layer with `affine` behind it."""
        scale = affine.scale
        if self._depthwise:
            scale = scale.reshape(self.kernel.shape[-2:])
        bias = self.bias * affine.scale + affine.shift
        return dataclasses.replace(self, kernel=self.kernel * scale, bias=bias)

    def behind(self, affine: Affine) -> Linear:
        """The layer with `affine` before it."""
        shift = self.kernel * self._by_input(affine.shift)
        shift = shift.reshape(-1, *self.kernel.shape[-2:]).sum(axis=0)
        added = shift.ravel() if self._depthwise else shift.sum(axis=0)
        kernel = self.kernel * self._by_input(affine.scale)
        return dataclasses.replace(self, kernel=kernel, bias=self.bias + added)

    @property
    def _depthwise(self) -> bool:
        return isinstance(self.layer, layers.DepthwiseConv2D)

    def _by_input(self, values: np.ndarray) -> np.ndarray:
        """A number for each input as the kernel's last two axes have them."""
        if self._depthwise:
            return values[:, None]
        groups = getattr(self.layer, "groups", 1)
        return np.repeat(values.reshape(groups, -1).T, self.kernel.shape[-1] // groups, axis=1)


def _float64(x: Any) -> np.ndarray:
    return to_numpy(x).astype("float64")
