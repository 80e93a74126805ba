"""Fully connected nets that the papers look into with their instruments.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 2.1 and appendix A; Huang
et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs", sections 3
and 4.
"""

import math

import keras
from keras import layers

from zoo.errors import ZooError
from zoo.layers.layer_factory import Decay, DenseNorm, Initializer, LayerFactory, Nonlinearity
from zoo.models.input_shapes import check_full_shape
from zoo.models.options import Activation, Classes, InputShape, Strength, Units
from zoo.models.variant import Variant

EXPLODING = "Hu: Revisiting Exploding Gradient: A Ghost That Never Leaves. 2021"
CONDITIONING = (
    "Huang, Qin, Liu, Zhu, Shao: Layer-wise Conditioning Analysis in Exploring the Learning "
    "Dynamics of DNNs. ECCV 2020"
)


def mlp(
    depth: int,
    *,
    residual: bool = False,
    input_shape: InputShape = (256,),
    num_classes: Classes = 10,
    activation: Activation = "softmax",
    units: Units = 256,
    nonlinearity: Nonlinearity = "relu",
    norm: DenseNorm = "batchnorm",
    initializer: Initializer = "he_normal",
    weight_decay: Strength = 0.0,
    decay: Decay = "kernels",
    name: str = "mlp",
) -> keras.Model:
    """`depth` hidden layers, linear - BN - nonlinearity without biases, then the classifier.

    `plain_mlp20`, `residual_mlp20` and their kin of 40 layers are the nets of Hu's figures 1 and
    10: 256 units, weights from N(0, 2 / d), inputs from N(0, I) in batches of 128.
    With `residual` the input of every second layer is added behind its successor's BN:
    x2 = f(BN(W2 f(BN(W1 x))) + x). `num_classes=0` is the net without our classifier. The figures
    of its appendix A: `nonlinearity="selu", initializer="lecun_normal"`, `nonlinearity="tanh"`,
    and each with `norm="none"`.

    `mlp4_24`, `mlp4_36`, `mlp8_24` and `mlp20_256` are Huang et al.'s of 4, 8 and 20 layers with
    24, 36 and 256 units. With its equation 3 we count the classifier among these layers, so they
    have one hidden layer less. The "random initialization" of its program is
    `initializer="fan_in_uniform"`, He's `"he_normal_fan_in"`; the zoo's default, by fan-out, is the
    same for square layers and starts the classifier far too large. Its unnormalized net is
    `norm="none"`. The data is MNIST: `input_shape=(28, 28, 1)`, or (12, 12, 1) for images cut and
    shrunk before the full curvature is computed.

    Args:
        depth: int. Number of hidden layers.
        residual: bool. Whether a skip leads around every two of them.
        input_shape: tuple of int or None. (features,), or (H, W, C) of the preprocessed image,
            which is flattened.
        num_classes: int. Size of the output; 0 gives the last hidden layer instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        units: int. Units of every hidden layer.
        nonlinearity, norm, initializer, weight_decay, decay: see `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, *input_shape) float -> (N, num_classes).

    Raises:
        ZooError: for a depth below 1; for a residual net if the depth is odd, or if the input
            has not `units` features.

    Example:

    >>> mlp(3, input_shape=(28, 28, 1), units=24).output_shape
    (None, 10)
    """
    if depth < 1 or (residual and depth % 2):
        kind = "a positive even" if residual else "a positive"
        raise ZooError(f"{name}: depth must be {kind} number. Received: depth={depth}")
    check_full_shape(name, input_shape)
    if residual and math.prod(size or 0 for size in input_shape) != units:
        raise ZooError(
            f"{name}: the first skip adds the input to {units} units, so input_shape must have "
            f"{units} features in all. Received: input_shape={input_shape}, units={units}"
        )
    if norm not in ("batchnorm", "none"):
        raise ZooError(f"{name}: norm must be 'batchnorm' or 'none'. Received: norm={norm!r}")
    factory = LayerFactory(
        initializer=initializer,
        weight_decay=weight_decay,
        decay=decay,
        norm=norm,
        nonlinearity=nonlinearity,
    )
    inputs = keras.Input(input_shape, name="image")
    x = skipped = layers.Flatten(data_format="channels_last", name="flatten")(inputs)
    for i in range(1, depth + 1):
        x = factory.dense(x, units, f"hidden{i}_dense", use_bias=False)
        for layer in factory.norm_layers(f"hidden{i}_norm"):
            x = layer(x)
        if residual and i % 2 == 0:
            x = layers.Add(name=f"hidden{i}_add")([x, skipped])
        x = factory.act(f"hidden{i}_act", dense=True)(x)
        if i % 2 == 0:
            skipped = x
    return keras.Model(inputs, factory.classifier(x, num_classes, activation), name=name)


VARIANTS = [
    Variant(f"{kind}_mlp{depth}", mlp, {"depth": depth, "residual": residual}, paper=EXPLODING)
    for depth in (20, 40)
    for kind, residual in (("plain", False), ("residual", True))
] + [
    Variant(
        f"mlp{count}_{units}",
        mlp,
        {"depth": count - 1, "units": units, "residual": False},
        paper=CONDITIONING,
    )
    for count, units in ((4, 24), (4, 36), (8, 24), (20, 256))
]
