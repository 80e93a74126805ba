"""The layers of a network, made alike."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import layers

from zoo.constraints import MaxNorm
from zoo.errors import ZooError
from zoo.initializers import DeltaOrthonormal, Orthonormal
from zoo.layers.batch_normalization import BATCH_NORM, BatchNormalization
from zoo.layers.crelu import CReLU
from zoo.layers.norm_prop import NormPropActivation, NormPropConv2D
from zoo.layers.symmetric_conv2d import SymmetricConv2D
from zoo.regularizers import OrthonormalRegularizer
from zoo.types import Tensor

Initializer = Literal[
    "orthonormal",
    "delta_orthonormal",
    "he_normal",
    "he_normal_fan_in",
    "he_uniform",
    "lecun_normal",
    "fan_in_uniform",
    "glorot_uniform",
]
Decay = Literal["kernels", "all"]
Nonlinearity = Literal["relu", "crelu", "leaky_relu", "prelu", "selu", "tanh"]
Norm = Literal["batchnorm", "groupnorm", "none", "normprop", "normprop2", "normprop3"]
# What dense layers can be normalized by.
DenseNorm = Literal["batchnorm", "none"]

_INITIALIZERS: dict[str, Callable[[], keras.Initializer]] = {
    "orthonormal": Orthonormal,
    "delta_orthonormal": DeltaOrthonormal,
    # Fan-out for convolutions, as the published ResNet code has it.
    "he_normal": lambda: keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    "he_normal_fan_in": lambda: keras.initializers.VarianceScaling(
        2.0, "fan_in", "untruncated_normal"
    ),
    "he_uniform": keras.initializers.HeUniform,
    "lecun_normal": lambda: keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal"),
    # U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), PyTorch's default.
    "fan_in_uniform": lambda: keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
    "glorot_uniform": keras.initializers.GlorotUniform,
}

# Of NormProp's gamma, as its paper has it.
INITIAL_SCALE = 1 / 1.21

_NONLINEARITIES: dict[str, Callable[..., keras.Layer]] = {
    "relu": layers.ReLU,
    "crelu": CReLU,
    "leaky_relu": lambda name: layers.LeakyReLU(negative_slope=0.3, name=name),
    # One slope per unit, from 0.25, as He et al. introduced it; of a map, one per channel.
    "prelu": lambda name, **more: layers.PReLU(
        keras.initializers.Constant(0.25), name=name, **more
    ),
    "selu": lambda name: layers.Activation("selu", name=name),
    "tanh": lambda name: layers.Activation("tanh", name=name),
}


@dataclass(frozen=True)
class LayerFactory:
    """What is the same for every layer of one network: how kernels start and are held, the
    normalization and the nonlinearity. Layer names are given by the caller and are frozen: they
    are the keys of published checkpoints.

    Attributes:
        initializer: str, "orthonormal", "delta_orthonormal", "he_normal" (by fan-out, as published
            ResNets start), "he_normal_fan_in", "he_uniform", "lecun_normal", "glorot_uniform" or
            "fan_in_uniform", U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), where PyTorch's dense layers
            start, their biases too. How kernels start.
        orthonormal: float. Strength of `zoo.regularizers.OrthonormalRegularizer`, 0 for none.
        weight_decay: float. Coefficient d of L2 weight decay, whose gradient is d * w; 0 for none.
        decay: str. What decays: "kernels", or "all" for biases and the scales, shifts and slopes of
            normalizations and nonlinearities, too, as PyTorch's optimizers do by themselves.
        max_norm: float or None. Bound on the norm of each unit's weights.
        norm: str, "batchnorm", "groupnorm" (Wu, He, "Group Normalization", of 32 groups: for
            batches of few images), "none", or NormProp in its three versions ("normprop",
            "normprop2", "normprop3"), which normalizes the filters of a convolution instead of its
            outputs.
        nonlinearity: str, "relu", "crelu", "leaky_relu", "prelu", "selu" or "tanh".
        use_bias: bool or None. Whether convolutions have a bias; None: where no normalization of
            their outputs follows.
        beta: float. Where the shifts of the normalization start. Above 0, more units of a layer
            are open, and errors grow less from layer to layer.
        initial_scale: float above 0. Where the scales of "normprop" and "normprop2" start; see
            `zoo.layers.NormPropConv2D`.

    Raises:
        ZooError: for attributes that exclude each other.

    Example:

    >>> factory = zoo.layers.LayerFactory(norm="none", nonlinearity="crelu")
    >>> factory.conv_norm_act(keras.Input((8, 8, 3)), 16, 3, "stem").shape
    (None, 8, 8, 32)
    """

    initializer: Initializer = "he_normal"
    orthonormal: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None
    norm: Norm = "batchnorm"
    nonlinearity: Nonlinearity = "relu"
    use_bias: bool | None = None
    beta: float = 0.0
    decay: Decay = "kernels"
    initial_scale: float = INITIAL_SCALE

    def __post_init__(self) -> None:
        if self.orthonormal and self.weight_decay:
            raise ZooError(
                "orthonormal and weight_decay exclude each other (Xie et al., section 4). "
                f"Received: orthonormal={self.orthonormal}, weight_decay={self.weight_decay}. "
                "Set one of them to 0."
            )
        if self.beta and self.norm not in ("batchnorm", "groupnorm"):
            raise ZooError(
                "beta is the shift of 'batchnorm' or 'groupnorm'. "
                f"Received: beta={self.beta}, norm={self.norm!r}"
            )
        if self.initial_scale != INITIAL_SCALE and self.norm not in ("normprop", "normprop2"):
            raise ZooError(
                "initial_scale is where the scales of 'normprop' and 'normprop2' start. "
                f"Received: initial_scale={self.initial_scale}, norm={self.norm!r}"
            )

    def get_config(self) -> dict[str, Any]:
        """Plain values; `LayerFactory(**config)` is equal."""
        return dataclasses.asdict(self)

    def kernel(self) -> dict[str, Any]:
        """Keyword arguments for the kernel and the bias of one convolution or dense layer."""
        regularizer = self._weight_decay()
        if self.orthonormal:
            regularizer = OrthonormalRegularizer(self.orthonormal)
        return {
            "kernel_initializer": _INITIALIZERS[self.initializer](),
            "kernel_regularizer": regularizer,
            "kernel_constraint": MaxNorm(self.max_norm) if self.max_norm else None,
            **self.other("bias"),
        }

    def other(self, *weights: str) -> dict[str, Any]:
        """Keyword arguments for weights of a layer that are no kernels."""
        regularizer = self._weight_decay() if self.decay == "all" else None
        return {f"{weight}_regularizer": regularizer for weight in weights}

    def _weight_decay(self) -> keras.Regularizer | None:
        return keras.regularizers.L2(self.weight_decay / 2) if self.weight_decay else None

    def conv(self, filters: int, size: int, name: str, strides: int = 1) -> keras.Layer:
        """Convolution, padded (size - 1) // 2 on each side."""
        bias = self.use_bias
        if bias is None:
            bias = self.norm not in ("batchnorm", "groupnorm")
        arguments = {"strides": strides, "use_bias": bias, "name": name, **self.kernel()}
        if self.norm.startswith("normprop"):
            if self.norm == "normprop3":
                arguments["scale"] = INITIAL_SCALE
            else:
                arguments |= {"initial_scale": self.initial_scale, **self.other("gamma")}
            return NormPropConv2D(filters, size, **arguments)
        return SymmetricConv2D(filters, size, **arguments)

    def norm_layers(self, name: str, gamma: float = 1.0) -> list[keras.Layer]:
        """The normalization of a convolution's outputs, none where there is none; its scale starts
        at `gamma`."""
        start: dict[str, Any] = self.other("gamma", "beta")
        if self.beta:
            start["beta_initializer"] = keras.initializers.Constant(self.beta)
        if gamma != 1:
            start["gamma_initializer"] = keras.initializers.Constant(gamma)
        if self.norm == "batchnorm":
            return [BatchNormalization(**BATCH_NORM, **start, name=name)]
        if self.norm == "groupnorm":
            epsilon = BATCH_NORM["epsilon"]
            return [layers.GroupNormalization(32, epsilon=epsilon, **start, name=name)]
        return []

    def batch_norm(self, name: str, gamma: str | keras.Initializer = "ones") -> BatchNormalization:
        """A batch normalization outside the units, whatever `norm` is; its scale starts as the
        initializer `gamma` has it."""
        weights = self.other("gamma", "beta")
        return BatchNormalization(**BATCH_NORM, **weights, gamma_initializer=gamma, name=name)

    def act(self, name: str, dense: bool = False) -> keras.Layer:
        """The nonlinearity, of a map's channels or of a dense layer's units."""
        if self.norm == "normprop":
            return NormPropActivation(self.nonlinearity, name=name)
        more: dict[str, Any] = {}
        if self.nonlinearity == "prelu":
            more = {"shared_axes": None if dense else (1, 2), **self.other("alpha")}
        return _NONLINEARITIES[self.nonlinearity](name=name, **more)

    def conv_norm_act(
        self, x: Tensor, filters: int, size: int, name: str, strides: int = 1
    ) -> Tensor:
        """Convolution - normalization - nonlinearity, the unit of a plain net."""
        x = self.conv(filters, size, f"{name}_conv", strides)(x)
        return self._norm_act(x, name)

    def dense(self, x: Tensor, units: int, name: str, **changes: Any) -> Tensor:
        """Dense layer, with other arguments of Keras's in `changes`."""
        arguments = self.kernel() | changes
        if self.initializer == "fan_in_uniform":
            limit = x.shape[-1] ** -0.5
            arguments["bias_initializer"] = keras.initializers.RandomUniform(-limit, limit)
        return layers.Dense(units, name=name, **arguments)(x)

    def dense_norm_act(self, x: Tensor, units: int, name: str) -> Tensor:
        """Dense layer (with bias) - normalization - nonlinearity."""
        if self.norm not in ("batchnorm", "none"):
            raise ZooError(
                f"norm must be 'batchnorm' or 'none' for dense layers. Received: norm={self.norm!r}"
            )
        return self._norm_act(self.dense(x, units, f"{name}_dense"), name, dense=True)

    def classifier(self, x: Tensor, num_classes: int, activation: str | None) -> Tensor:
        """`head_dense` and its activation, in float32; nothing for `num_classes=0`."""
        if not num_classes:
            return x
        # Max-norm holds hidden units alone (Oyedotun et al., section VI-C).
        x = self.dense(x, num_classes, "head_dense", kernel_constraint=None)
        return layers.Activation(activation or "linear", dtype="float32", name="head_act")(x)

    def _norm_act(self, x: Tensor, name: str, dense: bool = False) -> Tensor:
        for layer in (*self.norm_layers(f"{name}_norm"), self.act(f"{name}_act", dense)):
            x = layer(x)
        return x
