"""Residual networks for 32x32 images, and their relatives.

He et al., "Deep Residual Learning for Image Recognition"; pre-activation: "Identity Mappings in
Deep Residual Networks". A last BatchNorm: Huang et al., "Layer-wise Conditioning Analysis in
Exploring the Learning Dynamics of DNNs", section 5. CReLU and NormProp: Shang et al., "Exploring
Normalization in Deep Residual Networks with Concatenated Rectified Linear Units".
"""

from typing import Any

import keras

from zoo.errors import ZooError
from zoo.layers.layer_factory import (
    INITIAL_SCALE,
    Decay,
    Initializer,
    LayerFactory,
    Nonlinearity,
    Norm,
)
from zoo.layers.residual_block import Shortcut
from zoo.layers.residual_stage import ResidualStage
from zoo.models.image_model import image_model
from zoo.models.input_shapes import check_image
from zoo.models.options import (
    Activation,
    Classes,
    InitialScale,
    InputShape,
    LastGamma,
    Strength,
    Width,
)
from zoo.models.residual import (
    CONDITIONING,
    CRELU,
    RESNET,
    HeadGamma,
    classifier_factory,
    head_layers,
    outside_blocks,
)
from zoo.models.variant import Variant


def small_resnet(
    depth: int,
    *,
    preactivation: bool = False,
    final_norm: bool = True,
    last_bn: bool = False,
    input_shape: InputShape = (32, 32, 3),
    num_classes: Classes = 10,
    activation: Activation = "softmax",
    features: bool = False,
    width: Width = 16,
    shortcut: Shortcut = "identity_pad",
    last_gamma: LastGamma = 1.0,
    nonlinearity: Nonlinearity = "relu",
    norm: Norm = "batchnorm",
    use_bias: bool | None = None,
    initializer: Initializer = "he_normal",
    orthonormal: Strength = 0.0,
    weight_decay: Strength = 1e-4,
    decay: Decay = "kernels",
    initial_scale: InitialScale = INITIAL_SCALE,
    head_initializer: Initializer | None = None,
    head_gamma: HeadGamma = "ones",
    name: str = "resnet",
) -> keras.Model:
    """One 3x3 convolution, then three stages of n blocks of two, at `width` * (1, 2, 4).

    depth = 6n + 2 counts the convolutions and the dense layer; the first blocks of stages 2 and 3
    have stride 2. Any image of at least 4x4 pixels fits. The variables of stage s, block b are
    `stage{s}/block{b}/…`.

    With hundreds of layers on TensorFlow, call `optimizer.build(model.trainable_variables)` before
    `fit`: otherwise Keras makes the optimizer's variables within the compiled step and traces it
    twice.

    Args:
        depth: int. Number of weight layers, 6n + 2.
        preactivation: bool. Norm-Act before the convolutions. The first block of a stage applies
            its first one before the split; the very first has none, for the stem ends with one.
        final_norm: bool. With pre-activation, whether a normalization comes before the last
            nonlinearity (Huang et al.'s PreResNet) or not (their PreResNet_v1).
        last_bn: bool. Whether a BatchNormalization stands between the pooling and the classifier,
            the one difference of ResNetLastBN. (Before the pooling it does the same, they report.)
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the pooled features instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages, {"P0", "P1", "P2"}, in place of the
            head.
        width: int. Filters of the first stage. Shang et al. use 12, 16, 24 and 32.
        shortcut: str. "identity_pad" (A of He et al.), "projection" (B), "projection3x3" (Xie et
            al.), "none"; see `zoo.layers.ResidualBlock`.
        last_gamma: float. Where the last scale of a block starts. Hu's program has 0 for its
            ResNets ("zero-gamma"); torchvision's and the papers' tables start from 1.
        nonlinearity: str. With "crelu", inside the blocks only.
        norm, use_bias, initializer, orthonormal, weight_decay, decay, initial_scale: see
            `zoo.layers.LayerFactory`.
        head_initializer: str or None. How the classifier starts; None for Glorot-uniform where the
            rest is He-normal, and as the rest elsewhere. Huang et al.'s program has
            "fan_in_uniform".
        head_gamma: str. Where the scale of the last batch normalization starts: "ones", or
            "uniform", U(0, 1), as in Huang et al.'s program.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Raises:
        ZooError: for a depth that is not 6n + 2, an image too small, and options that need others.

    Example:

    >>> model = small_resnet(20, width=4, last_bn=True)
    >>> [layer.name for layer in model.layers[-3:]]
    ['head_norm', 'head_dense', 'head_act']
    """
    if depth < 8 or (depth - 2) % 6:
        raise ZooError(f"depth must be 6n + 2 with n >= 1: 8, 14, 20, … Received: depth={depth}")
    check_image(name, input_shape, least=4)
    factory = LayerFactory(
        initializer=initializer,
        orthonormal=orthonormal,
        weight_decay=weight_decay,
        norm=norm,
        nonlinearity=nonlinearity,
        use_bias=use_bias,
        decay=decay,
        initial_scale=initial_scale,
    )
    outside = outside_blocks(factory)
    inputs = keras.Input(input_shape, name="image")
    x = outside.conv_norm_act(inputs, width, 3, "stem")
    levels = {}
    for stage in (1, 2, 3):
        first = ("pre_bare" if stage == 1 else "pre_shared") if preactivation else None
        x = ResidualStage(
            width * 2 ** (stage - 1),
            (depth - 2) // 6,
            strides=1 if stage == 1 else 2,
            order="pre" if preactivation else "post",
            first=first,
            shortcut=shortcut,
            last_gamma=last_gamma,
            factory=factory,
            name=f"stage{stage}",
        )(x)
        levels[2 ** (stage - 1)] = x
    if preactivation:
        norms = outside.norm_layers("final_norm") if final_norm else []
        for layer in (*norms, outside.act("final_act")):
            x = layer(x)
        levels[4] = x
    return image_model(
        inputs,
        levels,
        factory=classifier_factory(factory, head_initializer),
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
        head=head_layers(factory, last_bn, head_gamma),
    )


# Errors in percent on CIFAR-10 and CIFAR-100, means of five runs (Huang et al., tables 1 and 2).
CIFAR = {
    "resnet": {56: (7.52, 29.60), 110: (6.89, 28.30), 230: (7.35, 29.25), 1202: (9.42, 30.49)},
    "lastbn": {56: (6.50, 28.82), 110: (6.10, 27.05), 230: (5.94, 25.80), 1202: (5.68, 25.51)},
    "preresnet": {56: (6.89, 29.29), 110: (6.25, 27.58), 230: (6.12, 26.72), 1202: (6.07, 26.23)},
    "v1": {56: (6.75, 29.60), 110: (6.37, 28.54), 230: (6.32, 27.92), 1202: (7.89, 30.07)},
}
SHALLOW, DEEP = (20, 32, 44, 56, 110), (230, 1202)
# What a small net is where its row does not say otherwise.
SMALL = {"preactivation": False, "final_norm": True, "last_bn": False}
# Names with a checkpoint of their own.
TRAINED = {"resnet20", "resnet20_lastbn", "crelu_resnet20", "preresnet20"}


def _small(name: str, depth: int, row: str, paper: str = CONDITIONING, **fixed: Any) -> Variant:
    published = ""
    if depth in CIFAR.get(row, {}):
        tens, hundreds = CIFAR[row][depth]
        source = "" if paper is CONDITIONING else "Huang et al., "
        published = f"CIFAR-10 error {tens}%, CIFAR-100 {hundreds}% ({source}tables 1, 2)"
    return Variant(
        name,
        small_resnet,
        {"depth": depth, **SMALL, **fixed},
        paper=paper,
        published=published,
        weights="cifar10" if name in TRAINED else None,
    )


VARIANTS = [
    *(_small(f"resnet{d}", d, "resnet", RESNET) for d in (*SHALLOW, *DEEP, 2402)),
    *(_small(f"resnet{d}_lastbn", d, "lastbn", last_bn=True) for d in (*SHALLOW, *DEEP, 2402)),
    *(_small(f"preresnet{d}", d, "preresnet", preactivation=True) for d in (*SHALLOW, *DEEP)),
    *(
        _small(f"preresnet{d}_v1", d, "v1", preactivation=True, final_norm=False)
        for d in (*SHALLOW, *DEEP)
    ),
    *(
        Variant(
            f"crelu_resnet{d}",
            small_resnet,
            {"depth": d, **SMALL, "nonlinearity": "crelu"},
            paper=CRELU,
            published="CIFAR-10 error 5.72%, CIFAR-100 25.89% (table 2)" if d == 110 else "",
            weights="cifar10" if f"crelu_resnet{d}" in TRAINED else None,
        )
        for d in SHALLOW
    ),
    *(
        Variant(
            f"normprop_resnet{d}",
            small_resnet,
            {"depth": d, **SMALL},
            defaults={"norm": "normprop", "initializer": "glorot_uniform"},
            paper=CRELU,
            published="CIFAR-10 error 11.60%, CIFAR-100 37.60%; NormProp2 7.46%, 31.71% (table 2)"
            if d == 110
            else "",
        )
        for d in SHALLOW
    ),
]
