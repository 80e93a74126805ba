"""PlainNets for small images: Conv-BN-ReLU chains of depth 6n + 2 without shortcuts.

Xie et al., "All You Need is Beyond a Good Init", section 5.1 (44 and 110 layers), with the layout
that He et al. gave their CIFAR networks.
"""

from typing import Annotated

import keras

from zoo.errors import ZooError
from zoo.layers import Modulation, ModulationSource
from zoo.layers.layer_factory import Decay, Initializer, LayerFactory, Nonlinearity, Norm
from zoo.models.image_model import image_model
from zoo.models.input_shapes import check_image
from zoo.models.options import Activation, Classes, InputShape, MaxNormBound, Range, Strength, Width
from zoo.models.variant import Variant

PAPER = (
    "Xie, Xiong, Pu: All You Need is Beyond a Good Init: Exploring Better Solution for Training "
    "Extremely Deep Convolutional Neural Networks with Orthonormality and Modulation. CVPR 2017"
)


def plainnet(
    depth: int,
    *,
    input_shape: InputShape = (32, 32, 3),
    num_classes: Classes = 10,
    activation: Activation = "softmax",
    features: bool = False,
    width: Width = 16,
    nonlinearity: Nonlinearity = "relu",
    norm: Norm = "batchnorm",
    initializer: Initializer = "orthonormal",
    orthonormal: Strength = 1e-4,
    weight_decay: Strength = 0.0,
    decay: Decay = "kernels",
    max_norm: MaxNormBound | None = None,
    beta: Annotated[float, Range(-10, 10)] = 0.0,
    modulation: bool = False,
    name: str = "plainnet",
) -> keras.Model:
    """One 3x3 convolution, then three stages of 2n 3x3 convolutions at `width` * (1, 2, 4).

    depth = 6n + 2 counts the convolutions and the dense layer. The first convolution of stages 2
    and 3 has stride 2. Any image of at least 4x4 pixels fits.

    Args:
        depth: int. Number of weight layers, 6n + 2.
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the pooled features instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages, {"P0", "P1", "P2"}, in place of the
            head.
        width: int. Filters of the first stage.
        nonlinearity, norm, initializer, orthonormal, weight_decay, decay, max_norm, beta: see
            `zoo.layers.LayerFactory`. The defaults are the paper's method without modulation;
            its baseline is `initializer="he_normal", orthonormal=0, weight_decay=1e-4`. Where there
            is no time for the paper's 64,000 steps, `initializer="delta_orthonormal", beta=1.0`
            and a rate of 0.01 make 110 layers learn from the first epoch on.
        modulation: bool. Whether errors can be modulated in training, as the paper does for 110
            layers: a `zoo.layers.Modulation` behind each convolution's unit, which
            `zoo.callbacks.ModulationCallback` switches on. Weights are the same, and those of the
            layer `modulation`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Example:

    >>> model = plainnet(20, width=4, num_classes=5)
    >>> model.get_layer("stage3_6_conv").filters
    16
    """
    if depth < 8 or (depth - 2) % 6:
        raise ZooError(f"depth must be 6n + 2 with n >= 1: 8, 14, 20, … Received: depth={depth}")
    check_image(name, input_shape, least=4)
    factory = LayerFactory(
        initializer=initializer,
        orthonormal=orthonormal,
        weight_decay=weight_decay,
        decay=decay,
        max_norm=max_norm,
        norm=norm,
        nonlinearity=nonlinearity,
        beta=beta,
    )
    units = [("stem", width, 1)]
    for stage in (1, 2, 3):
        for i in range(1, (depth - 2) // 3 + 1):
            strides = 2 if stage > 1 and i == 1 else 1
            units.append((f"stage{stage}_{i}", width * 2 ** (stage - 1), strides))
    x = inputs = keras.Input(input_shape, name="image")
    if modulation:
        token = ModulationSource([unit for unit, _, _ in units], name="modulation")(inputs)
    levels, stride = {}, 1
    for i, (unit, filters, strides) in enumerate(units):
        x = factory.conv_norm_act(x, filters, 3, unit, strides)
        if modulation:
            x, token = Modulation(i, name=f"{unit}_mod")([x, token])
        stride *= strides
        levels[stride] = x
    return image_model(
        inputs,
        levels,
        factory=factory,
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
    )


PUBLISHED = {
    44: "CIFAR-10 88.42% top-1; 84.14% with weight decay (table 2)",
    110: "CIFAR-10 81.6% top-1 with modulation; 11.83% with weight decay (table 2)",
}

VARIANTS = [
    Variant(
        f"plainnet{depth}",
        plainnet,
        {"depth": depth},
        paper=PAPER,
        published=PUBLISHED.get(depth, ""),
        weights="cifar10" if depth in (44, 110) else None,
    )
    for depth in (20, 32, 44, 56, 110)
]
