"""The layers of a network, made alike."""

import dataclasses
from dataclasses import dataclass
from typing import Any

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

_INITIALIZERS = {
    "orthonormal": Orthonormal,
    "delta_orthonormal": DeltaOrthonormal,
    # Fan-out for convolutions, as the published ResNet code has it.
    "he_normal": lambda: keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    "he_uniform": keras.initializers.HeUniform,
    "lecun_normal": lambda: keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal"),
    "glorot_uniform": keras.initializers.GlorotUniform,
}

_NONLINEARITIES = {
    "relu": layers.ReLU,
    "crelu": CReLU,
    "leaky_relu": lambda name: layers.LeakyReLU(negative_slope=0.3, name=name),
    # One slope per unit, from 0.25, as He et al. introduced it; of a map, one per channel.
    "prelu": lambda name, shared_axes=None: layers.PReLU(
        keras.initializers.Constant(0.25), shared_axes=shared_axes, name=name
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
        initializer: name of the kernel initializer.
        orthonormal: strength of the orthonormal regularizer, 0 for none.
        weight_decay: coefficient d of L2 weight decay, whose gradient is d * w; 0 for none.
        max_norm: bound on the norm of each unit's weights, None for none.
        norm: "batchnorm", "groupnorm" (Wu, He, "Group Normalization", of 32 groups: for batches of
            few images), "none", or NormProp in its three versions ("normprop", "normprop2",
            "normprop3"), which normalizes the filters of a convolution instead of its outputs.
        nonlinearity: name of the activation function.
        use_bias: whether convolutions have a bias; None: where no normalization of their outputs
            follows.
        beta: where the shifts of the normalization start. Above 0, more units of a layer are
            open, and errors grow less from layer to layer.
    """

    initializer: str = "he_normal"
    orthonormal: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None
    norm: str = "batchnorm"
    nonlinearity: str = "relu"
    use_bias: bool | None = None
    beta: float = 0.0

    def __post_init__(self):
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

    def get_config(self) -> dict[str, Any]:
        """Plain values; `LayerFactory(**config)` is equal."""
        return dataclasses.asdict(self)

    def kernel(self) -> dict[str, Any]:
        """Keyword arguments for the kernel of one convolution or dense layer."""
        regularizer = None
        if self.orthonormal:
            regularizer = OrthonormalRegularizer(self.orthonormal)
        elif self.weight_decay:
            regularizer = keras.regularizers.L2(self.weight_decay / 2)
        return {
            "kernel_initializer": _INITIALIZERS[self.initializer](),
            "kernel_regularizer": regularizer,
            "kernel_constraint": MaxNorm(self.max_norm) if self.max_norm else None,
        }

    def conv(self, filters: int, size: int, name: str, strides: int = 1) -> keras.Layer:
        """Convolution, padded (size - 1) // 2 on each side."""
        bias = self.use_bias
        if bias is None:
            bias = self.norm not in ("batchnorm", "groupnorm")
        arguments = {"strides": strides, "use_bias": bias, "name": name, **self.kernel()}
        if self.norm.startswith("normprop"):
            if self.norm == "normprop3":
                arguments["scale"] = 1 / 1.21
            return NormPropConv2D(filters, size, **arguments)
        return SymmetricConv2D(filters, size, **arguments)

    def norm_layers(self, name: str) -> list[keras.Layer]:
        """The normalization of a convolution's outputs, none where there is none."""
        start = {"beta_initializer": keras.initializers.Constant(self.beta)} if self.beta else {}
        if self.norm == "batchnorm":
            return [BatchNormalization(**BATCH_NORM, **start, name=name)]
        if self.norm == "groupnorm":
            epsilon = BATCH_NORM["epsilon"]
            return [layers.GroupNormalization(32, epsilon=epsilon, **start, name=name)]
        return []

    def act(self, name: str, dense: bool = False) -> keras.Layer:
        """The nonlinearity, of a map's channels or of a dense layer's units."""
        if self.norm == "normprop":
            return NormPropActivation(self.nonlinearity, name=name)
        more = {"shared_axes": (1, 2)} if self.nonlinearity == "prelu" and not dense else {}
        return _NONLINEARITIES[self.nonlinearity](name=name, **more)

    def conv_norm_act(self, x, filters: int, size: int, name: str, strides: int = 1):
        """Convolution - normalization - nonlinearity, the unit of a plain net."""
        x = self.conv(filters, size, f"{name}_conv", strides)(x)
        return self._norm_act(x, name)

    def dense_norm_act(self, x, units: int, name: str):
        """Dense layer (with bias) - normalization - nonlinearity."""
        if self.norm not in ("batchnorm", "none"):
            raise ZooError(
                f"norm must be 'batchnorm' or 'none' for dense layers. Received: norm={self.norm!r}"
            )
        x = layers.Dense(units, name=f"{name}_dense", **self.kernel())(x)
        return self._norm_act(x, name, dense=True)

    def classifier(self, x, num_classes: int, activation: str | None):
        """`head_dense` and its activation, in float32; nothing for `num_classes=0`."""
        if not num_classes:
            return x
        x = layers.Dense(num_classes, name="head_dense", **self.kernel())(x)
        return layers.Activation(activation or "linear", dtype="float32", name="head_act")(x)

    def _norm_act(self, x, name: str, dense: bool = False):
        for layer in (*self.norm_layers(f"{name}_norm"), self.act(f"{name}_act", dense)):
            x = layer(x)
        return x
<<<<<<< HEAD:zoo/layers/layer_factory.py
=======


# Kernel size and stride of the first convolution, and the least side of an image, by stem. Only
# "imagenet" has a max pooling 3x3/2 behind it.
STEMS = {"imagenet": (7, 2, 32), "cifar": (3, 1, 8), "tiny_imagenet": (3, 2, 16)}


def check_stem(name: str, stem: str, input_shape: tuple[int | None, ...]) -> None:
    """Refuses an unknown stem and an image that is too small for it."""
    if stem not in STEMS:
        raise ZooError(
            f"{name}: stem must be one of {', '.join(map(repr, STEMS))}. Received: stem={stem!r}"
        )
    check_image(name, input_shape, least=STEMS[stem][2])


def check_full_shape(name: str, input_shape: tuple[int | None, ...]) -> None:
    """Refuses an open size: dense layers need to know it."""
    if None in input_shape:
        raise ZooError(f"{name}: input_shape must be given in full. Received: {input_shape}")


def check_image(name: str, input_shape: tuple[int | None, ...], least: int) -> None:
    """Refuses a shape that is no image of at least `least` pixels a side; None is any size."""
    if len(input_shape) != 3 or any(n is not None and n < least for n in input_shape[:2]):
        raise ZooError(
            f"{name}: input_shape must be (H, W, C) with H and W at least {least}. "
            f"Received: input_shape={input_shape}"
        )


@keras.saving.register_keras_serializable("zoo")
class Backbone(keras.Model):
    """A functional model whose outputs are the levels of a network, {"P2": stride 4, …}.

    It has the two attributes by which the detectors of keras-hub (`RetinaNetBackbone`) and of
    keras-cv (`RetinaNet`) know the levels of their backbone.
    """

    @property
    def pyramid_outputs(self) -> dict[str, keras.KerasTensor]:
        """Symbolic output by level."""
        return self.output

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        """Name of the layer that a level is the output of."""
        last = {id(layer.output): layer.name for layer in self.layers}
        return {level: last[id(output)] for level, output in self.output.items()}


def image_model(
    inputs: keras.KerasTensor,
    levels: Mapping[int, keras.KerasTensor],
    *,
    parts: Parts,
    num_classes: int,
    activation: str | None,
    features: bool,
    name: str,
    head: Sequence[keras.Layer] = (),
) -> keras.Model:
    """The model around the stages of an image network.

    Args:
        inputs: the image.
        levels: outputs of the stages by their stride, the last one last.
        parts: for the classifier.
        num_classes, activation: of the classifier; `num_classes=0` for pooled features.
        features: whether to give the levels, {"P2": stride 4, …}, in place of all that follows.
        name: of the model.
        head: layers between the pooling and the classifier.
    """
    if features:
        pyramid = {f"P{stride.bit_length() - 1}": x for stride, x in levels.items()}
        return Backbone(inputs, pyramid, name=name)
    x = layers.GlobalAveragePooling2D(name="head_pool")(list(levels.values())[-1])
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, parts.classifier(x, num_classes, activation), name=name)
>>>>>>> 13a4984 (Tiny ImageNet: reader, recipes, mixup, CutMix, label smoothing, growing pictures, a stem for 64 pixels):zoo/models/blocks.py
