"""Pieces that every family is built from."""

import keras
from keras import layers

from zoo.constraints import MaxNorm
from zoo.errors import ZooError
from zoo.initializers import Orthonormal
from zoo.layers import BatchNormalization
from zoo.regularizers import OrthonormalRegularizer

BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}

_INITIALIZERS = {
    "orthonormal": Orthonormal,
    # Fan-out for convolutions, as the published ResNet code has it.
    "he_normal": lambda: keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    "he_uniform": keras.initializers.HeUniform,
    "glorot_uniform": keras.initializers.GlorotUniform,
}

_NONLINEARITIES = {
    "relu": layers.ReLU,
    "leaky_relu": lambda name: layers.LeakyReLU(negative_slope=0.3, name=name),
    "selu": lambda name: layers.Activation("selu", name=name),
    "tanh": lambda name: layers.Activation("tanh", name=name),
}


class Parts:
    """What is the same for every layer of one network: how kernels start and are held, the
    normalization and the nonlinearity. Layer names are given by the caller and are frozen: they
    are the keys of published checkpoints.

    Args:
        initializer: name of the kernel initializer.
        orthonormal: strength of the orthonormal regularizer, 0 for none.
        weight_decay: coefficient d of L2 weight decay, whose gradient is d * w; 0 for none.
        max_norm: bound on the norm of each unit's weights, None for none.
        norm: "batchnorm" or "none".
        nonlinearity: name of the activation function.
    """

    def __init__(
        self,
        *,
        initializer: str,
        orthonormal: float = 0.0,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        norm: str = "batchnorm",
        nonlinearity: str = "relu",
    ):
        if orthonormal and weight_decay:
            raise ZooError(
                "orthonormal and weight_decay exclude each other (Xie et al., section 4). "
                f"Received: orthonormal={orthonormal}, weight_decay={weight_decay}. "
                "Set one of them to 0."
            )
        self.initializer = _INITIALIZERS[initializer]
        self.orthonormal, self.weight_decay, self.max_norm = orthonormal, weight_decay, max_norm
        self.norm = norm
        self.nonlinearity = _NONLINEARITIES[nonlinearity]

    def kernel(self) -> dict:
        """Keyword arguments for the kernel of one convolution or dense layer."""
        regularizer = None
        if self.orthonormal:
            regularizer = OrthonormalRegularizer(self.orthonormal)
        elif self.weight_decay:
            regularizer = keras.regularizers.L2(self.weight_decay / 2)
        return {
            "kernel_initializer": self.initializer(),
            "kernel_regularizer": regularizer,
            "kernel_constraint": MaxNorm(self.max_norm) if self.max_norm else None,
        }

    def conv(self, x, filters: int, size: int, name: str, strides: int = 1):
        """Convolution, padded (size - 1) // 2 on each side; a bias only where no norm follows."""
        padding = "same"
        if strides > 1:  # Keras pads unevenly here
            if size > 1:
                x = layers.ZeroPadding2D((size - 1) // 2, name=f"{name}_pad")(x)
            padding = "valid"
        return layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding=padding,
            use_bias=self.norm == "none",
            name=name,
            **self.kernel(),
        )(x)

    def norm_act(self, x, name: str):
        """Normalization and nonlinearity of the layer called `name`."""
        if self.norm == "batchnorm":
            x = BatchNormalization(**BATCH_NORM, name=f"{name}_norm")(x)
        return self.nonlinearity(name=f"{name}_act")(x)

    def conv_norm_act(self, x, filters: int, size: int, name: str, strides: int = 1):
        """Convolution - normalization - nonlinearity, the unit of a plain net."""
        x = self.conv(x, filters, size, f"{name}_conv", strides)
        return self.norm_act(x, name)

    def dense_norm_act(self, x, units: int, name: str):
        """Dense layer (with bias) - normalization - nonlinearity."""
        x = layers.Dense(units, name=f"{name}_dense", **self.kernel())(x)
        return self.norm_act(x, name)

    def classifier(self, x, num_classes: int, activation: str | None):
        """`head_dense` and its activation, in float32; nothing for `num_classes=0`."""
        if not num_classes:
            return x
        x = layers.Dense(num_classes, name="head_dense", **self.kernel())(x)
        return layers.Activation(activation or "linear", dtype="float32", name="head_act")(x)
