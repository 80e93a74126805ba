"""MaxNorm PlainNets: up to 100 layers in a row, held by batch norm, leaky ReLU and max-norm 3.

Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip Connections",
section VI and table A1.
"""

import keras
from keras import layers

from zoo.layers.layer_factory import Decay, DenseNorm, Initializer, LayerFactory, Nonlinearity, Norm
from zoo.models.image_model import image_model
from zoo.models.input_shapes import check_full_shape, check_image
from zoo.models.options import Activation, Classes, InputShape, MaxNormBound, Strength, Units
from zoo.models.variant import Variant

PAPER = (
    "Oyedotun, Shabayek, Aouada, Ottersten: Revisiting the Training of Very Deep Neural Networks "
    "without Skip Connections. ICPR 2020"
)

# (filters, kernel size) of every convolution, stage by stage (table A1). The table skips number
# 49; (96, 3) there gives 723,642 trainable weights, the only plausible choice that rounds to the
# published 0.72M: (80, 1) gives 629,914 and (80, 3) 691,354.
PLAINNET50 = (
    [(16, 3), (16, 1), (16, 3), (32, 1)] + 4 * [(16, 1), (16, 3), (32, 1)] + [(48, 1)],
    [(48, 1), (64, 3), (64, 1)] + 5 * [(48, 1), (48, 3), (64, 1)] + [(80, 3)],
    4 * [(80, 1), (80, 3), (96, 1)] + [(96, 3), (128, 3)],
)


def maxnorm_plainnet(
    *,
    input_shape: InputShape = (32, 32, 3),
    num_classes: Classes = 10,
    activation: Activation = "softmax",
    features: bool = False,
    nonlinearity: Nonlinearity = "leaky_relu",
    norm: Norm = "batchnorm",
    initializer: Initializer = "he_uniform",
    weight_decay: Strength = 1e-4,
    decay: Decay = "kernels",
    max_norm: MaxNormBound | None = 3.0,
    name: str = "maxnorm_plainnet50",
) -> keras.Model:
    """The 50-layer convolutional net of table A1.

    Max pooling 2x2/2 after the first stage, 3x3/2 without padding after the second (32 -> 16 -> 7
    pixels), global average pooling at the end. Any image of at least 6x6 pixels fits.

    Args:
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the pooled features instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages, {"P0", "P1", "P2"} (strides 1, 2 and
            about 4), in place of the head.
        nonlinearity, norm, initializer, weight_decay, decay, max_norm: see
            `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Example:

    >>> model = maxnorm_plainnet(features=True)
    >>> {level: tuple(x.shape) for level, x in model.output.items()}
    {'P0': (None, 32, 32, 48), 'P1': (None, 16, 16, 80), 'P2': (None, 7, 7, 128)}
    """
    check_image(name, input_shape, least=6)
    factory = LayerFactory(
        initializer=initializer,
        weight_decay=weight_decay,
        decay=decay,
        max_norm=max_norm,
        norm=norm,
        nonlinearity=nonlinearity,
    )
    inputs = x = keras.Input(input_shape, name="image")
    levels = {}
    for stage, convolutions in enumerate(PLAINNET50, start=1):
        for i, (filters, size) in enumerate(convolutions, start=1):
            x = factory.conv_norm_act(x, filters, size, f"stage{stage}_{i}")
        levels[2 ** (stage - 1)] = x
        if stage < 3:
            x = layers.MaxPooling2D(
                stage + 1, strides=2, data_format="channels_last", name=f"stage{stage}_pool"
            )(x)
    return image_model(
        inputs,
        levels,
        factory=factory,
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
    )


def maxnorm_mlp(
    depth: int,
    *,
    input_shape: InputShape = (16, 16, 1),
    num_classes: Classes = 10,
    activation: Activation = "softmax",
    units: Units = 300,
    nonlinearity: Nonlinearity = "leaky_relu",
    norm: DenseNorm = "batchnorm",
    initializer: Initializer = "he_uniform",
    weight_decay: Strength = 1e-4,
    decay: Decay = "kernels",
    max_norm: MaxNormBound | None = 3.0,
    name: str = "maxnorm_mlp",
) -> keras.Model:
    """`depth` dense layers of `units` units in a row, then the classifier.

    The defaults are for USPS (16x16 grey); COIL-20 takes `input_shape=(128, 128, 1),
    num_classes=20`. Depth counts the hidden layers, with biases: so counted, the trainable weights
    at 32x32 inputs and 20 classes are those of the paper's table I (0.50M, 0.68M, 1.13M, 1.59M,
    2.04M, 3.86M for 3 to 40 layers; 4.77M for 50, where it prints 4.78M), and no other reading
    that we tried comes as near.

    The ablations of table II: `norm="none"`, `nonlinearity="relu"`, `max_norm=None`; the paper's
    "naive" net has all three, "PlainNet-BN" the last two.

    Args:
        depth: int. Number of hidden dense layers.
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image, or (features,).
        num_classes: int. Size of the output; 0 gives the last hidden layer instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        units: int. Units of every hidden layer.
        nonlinearity, norm, initializer, weight_decay, decay, max_norm: see
            `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, *input_shape) float -> (N, num_classes).

    Example:

    >>> maxnorm_mlp(3, input_shape=(32, 32, 1), num_classes=20).count_params()
    497720
    """
    check_full_shape(name, input_shape)
    factory = LayerFactory(
        initializer=initializer,
        weight_decay=weight_decay,
        decay=decay,
        max_norm=max_norm,
        norm=norm,
        nonlinearity=nonlinearity,
    )
    inputs = keras.Input(input_shape, name="image")
    x = layers.Flatten(data_format="channels_last", name="flatten")(inputs)
    for i in range(1, depth + 1):
        x = factory.dense_norm_act(x, units, f"hidden{i}")
    return keras.Model(inputs, factory.classifier(x, num_classes, activation), name=name)


VARIANTS = [
    Variant(
        "maxnorm_plainnet50",
        maxnorm_plainnet,
        paper=PAPER,
        published="CIFAR-10 6.65% error (table III)",
        weights="cifar10",
    )
] + [
    Variant(
        f"maxnorm_mlp{depth}",
        maxnorm_mlp,
        {"depth": depth},
        paper=PAPER,
        published="USPS 5.48% error (table II)" if depth == 100 else "",
        weights="usps" if depth == 100 else None,
    )
    for depth in (3, 5, 10, 15, 20, 40, 50, 100)
]
