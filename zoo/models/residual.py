"""Residual networks for 32x32 and 224x224 images, and their relatives.

He et al., "Deep Residual Learning for Image Recognition"; pre-activation: "Identity Mappings in
Deep Residual Networks". A last BatchNorm: Huang et al., "Layer-wise Conditioning Analysis in
Exploring the Learning Dynamics of DNNs", section 5. CReLU and NormProp: Shang et al., "Exploring
Normalization in Deep Residual Networks with Concatenated Rectified Linear Units". Plain nets:
Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figure 4.
"""

import dataclasses
import re
from typing import Annotated

import keras
from keras import layers

from zoo.errors import ZooError
from zoo.layers import BatchNormalization, SymmetricMaxPool2D
from zoo.layers.batch_normalization import BATCH_NORM
from zoo.layers.layer_factory import Initializer, LayerFactory, Nonlinearity, Norm
from zoo.layers.residual_block import Shortcut
from zoo.layers.residual_stage import ResidualStage
from zoo.models.image_model import image_model
from zoo.models.input_shapes import STEMS, Stem, check_image, check_stem
from zoo.models.options import Activation, Classes, InputShape, Range, Share, Strength, Width
from zoo.models.torch_names import TorchNames
from zoo.models.variant import Variant

RESNET = "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016"
CONDITIONING = (
    "Huang, Qin, Liu, Zhu, Shao: Layer-wise Conditioning Analysis in Exploring the Learning "
    "Dynamics of DNNs. ECCV 2020"
)
CRELU = (
    "Shang, Chiu, Sohn: Exploring Normalization in Deep Residual Networks with Concatenated "
    "Rectified Linear Units. AAAI 2017"
)
EXPLODING = "Hu: Revisiting Exploding Gradient: A Ghost That Never Leaves. 2021"

# Blocks of the four stages, and whether they are bottlenecks.
BLOCKS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


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
    nonlinearity: Nonlinearity = "relu",
    norm: Norm = "batchnorm",
    use_bias: bool | None = None,
    initializer: Initializer = "he_normal",
    orthonormal: Strength = 0.0,
    weight_decay: Strength = 1e-4,
    name: str = "resnet",
) -> keras.Model:
    """One 3x3 convolution, then three stages of n blocks of two, at `width` * (1, 2, 4).

    depth = 6n + 2 counts the convolutions and the dense layer; the first blocks of stages 2 and 3
    have stride 2. Any image of at least 4x4 pixels fits. The variables of stage s, block b are
    `stage{s}/block{b}/…`. The classifier starts Glorot-uniform where the rest is He-normal.

    With hundreds of layers on TensorFlow, call `optimizer.build(model.trainable_variables)` before
    `fit`: otherwise Keras makes the optimizer's variables within the compiled step and traces it
    twice, which takes three times as long.

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
        nonlinearity: str. With "crelu", inside the blocks only.
        norm, use_bias, initializer, orthonormal, weight_decay: see `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Raises:
        ZooError: for a depth that is not 6n + 2, and an image too small.
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
    )
    outside = _outside(factory)
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
        factory=_classifier(factory),
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
        head=_head(last_bn),
    )


def large_resnet(
    depth: int,
    *,
    last_bn: bool = False,
    input_shape: InputShape = (224, 224, 3),
    num_classes: Classes = 1000,
    activation: Activation = "softmax",
    features: bool = False,
    stem: Stem = "imagenet",
    width: Width = 64,
    final_conv: Annotated[int, Range(0, 65536)] = 0,
    dropout: Share = 0.0,
    shortcut: Shortcut = "projection",
    nonlinearity: Nonlinearity = "relu",
    norm: Norm = "batchnorm",
    use_bias: bool | None = None,
    initializer: Initializer = "he_normal",
    orthonormal: Strength = 0.0,
    weight_decay: Strength = 1e-4,
    name: str = "resnet",
) -> keras.Model:
    """A stem and four stages at `width` * (1, 2, 4, 8), of bottlenecks from 50 layers on.

    The stride of a stage is on the 3x3 convolution of its first block, as in torchvision's
    networks, whose numbers of parameters these have. The classifier starts Glorot-uniform where
    the rest is He-normal. Any image of at least 32x32 pixels fits, of 8x8 with `stem="cifar"`, of
    16x16 with `stem="tiny_imagenet"`. The variables of stage s, block b are `stage{s}/block{b}/…`.

    With `shortcut="none"` it is a plain net (`plainnet18` to `plainnet101`). Xie et al. also name
    a plain net of 44 layers for ImageNet; they do not describe it, and it is left out here.

    Args:
        depth: int. 18, 34, 50, 101 or 152.
        last_bn: bool. Whether a BatchNormalization stands between the pooling and the classifier,
            the one difference of ResNetLastBN.
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the pooled features instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages, {"P2", "P3", "P4", "P5"} ("P0" to "P3"
            with `stem="cifar"`, "P1" to "P4" with "tiny_imagenet"), in place of the head.
        stem: str. "imagenet" for a 7x7/2 convolution and a max pooling 3x3/2, "cifar" for a 3x3/1
            convolution, for images of about 32x32 pixels, "tiny_imagenet" for a 3x3/2
            convolution, for about 64x64.
        width: int. Filters of the first stage; a bottleneck gives 4 times as many.
        final_conv: int. Filters of one more 3x3 convolution before the pooling, 0 for none. Xie et
            al.'s table 1 has 1024 in its nets of 34 and 101 layers.
        dropout: float. Share of the pooled features that training drops (Huang et al.'s table A1:
            0.3).
        shortcut: str. See `zoo.layers.ResidualBlock`.
        nonlinearity: str. With "crelu", inside the blocks only, in a bottleneck behind the first
            two convolutions.
        norm, use_bias, initializer, orthonormal, weight_decay: see `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Raises:
        ZooError: for another depth or stem, and an image too small.
    """
    if depth not in BLOCKS:
        raise ZooError(f"depth must be one of {', '.join(map(str, BLOCKS))}. Received: {depth}")
    check_stem(name, stem, input_shape)
    factory = LayerFactory(
        initializer=initializer,
        orthonormal=orthonormal,
        weight_decay=weight_decay,
        norm=norm,
        nonlinearity=nonlinearity,
        use_bias=use_bias,
    )
    outside = _outside(factory)
    inputs = keras.Input(input_shape, name="image")
    size, stride, _ = STEMS[stem]
    x = outside.conv_norm_act(inputs, width, size, "stem", strides=stride)
    if stem == "imagenet":
        x = SymmetricMaxPool2D(3, 2, name="stem_pool")(x)
        stride *= 2
    blocks, bottleneck = BLOCKS[depth]
    levels = {}
    for stage, count in enumerate(blocks, start=1):
        x = ResidualStage(
            width * 2 ** (stage - 1),
            count,
            strides=1 if stage == 1 else 2,
            bottleneck=bottleneck,
            shortcut=shortcut,
            factory=factory,
            name=f"stage{stage}",
        )(x)
        levels[stride * 2 ** (stage - 1)] = x
    if final_conv:
        levels[stride * 8] = outside.conv_norm_act(x, final_conv, 3, "final")
    return image_model(
        inputs,
        levels,
        factory=_classifier(factory),
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
        head=_head(last_bn, dropout),
    )


def _outside(factory: LayerFactory) -> LayerFactory:
    """For layers outside the blocks, where CReLU does not act."""
    crelu = factory.nonlinearity == "crelu"
    return dataclasses.replace(factory, nonlinearity="relu") if crelu else factory


def _classifier(factory: LayerFactory) -> LayerFactory:
    """For the classifier: He-normal by fan-out starts few classes far too large."""
    he = factory.initializer == "he_normal"
    return dataclasses.replace(factory, initializer="glorot_uniform") if he else factory


def _head(last_bn: bool, dropout: float = 0.0) -> list[keras.Layer]:
    head: list[keras.Layer] = []
    if last_bn:
        head.append(BatchNormalization(**BATCH_NORM, name="head_norm"))
    if dropout:
        head.append(layers.Dropout(dropout, name="head_drop"))
    return head


def _torch_module(layer: str) -> str | None:
    ends = {"stem_conv": "conv1", "stem_norm": "bn1", "head_dense": "fc"}
    if layer in ends:
        return ends[layer]
    match = re.fullmatch(r"stage(\d+)/block(\d+)/(shortcut_|)(conv|norm)(\d*)", layer)
    if not match:
        return None
    stage, block, shortcut, kind, number = match.groups()
    if shortcut:
        module = "downsample.0" if kind == "conv" else "downsample.1"
    else:
        module = f"conv{number}" if kind == "conv" else f"bn{number}"
    return f"layer{stage}.{int(block) - 1}.{module}"


# Of torchvision.
TORCH = TorchNames(_torch_module, "fc")

# Errors in percent on CIFAR-10 and CIFAR-100, means of five runs (Huang et al., tables 1 and 2).
CIFAR = {
    "resnet": {56: (7.52, 29.60), 110: (6.89, 28.30), 230: (7.35, 29.25), 1202: (9.42, 30.49)},
    "lastbn": {56: (6.50, 28.82), 110: (6.10, 27.05), 230: (5.94, 25.80), 1202: (5.68, 25.51)},
    "preresnet": {56: (6.89, 29.29), 110: (6.25, 27.58), 230: (6.12, 26.72), 1202: (6.07, 26.23)},
    "v1": {56: (6.75, 29.60), 110: (6.37, 28.54), 230: (6.32, 27.92), 1202: (7.89, 30.07)},
}
IMAGENET = {
    "resnet18": "29.78% (Huang et al., table A1)",
    "resnet50": "23.97% (Huang et al., table A1); 24.01% (Shang et al., table 4)",
    "resnet34": "26.73% (Shang et al., table 4)",
    "resnet101": "22.44% (Shang et al., table 4)",
    "resnet18_lastbn": "29.38% (table A1)",
    "resnet50_lastbn": "23.76% (table A1)",
    "crelu_resnet34": "25.62% (table 4)",
    "crelu_resnet50": "23.03% (table 4)",
    "crelu_resnet101": "21.89% (table 4)",
    "normprop_resnet34": "with CReLU 28.28% (table 4)",
    "normprop_resnet50": "with CReLU 26.12% (table 4)",
}
SHALLOW, DEEP = (20, 32, 44, 56, 110), (230, 1202)
# What a small net is where its row does not say otherwise.
SMALL = {"preactivation": False, "final_norm": True, "last_bn": False}
# Names with a checkpoint of their own.
TRAINED = {"resnet20", "resnet20_lastbn", "crelu_resnet20", "preresnet20"}


def _small(name: str, depth: int, row: str, paper: str = CONDITIONING, **fixed) -> Variant:
    published = ""
    if depth in CIFAR.get(row, {}):
        tens, hundreds = CIFAR[row][depth]
        published = f"CIFAR-10 error {tens}%, CIFAR-100 {hundreds}% (tables 1, 2)"
    return Variant(
        name,
        small_resnet,
        {"depth": depth, **SMALL, **fixed},
        paper=paper,
        published=published,
        weights="cifar10" if name in TRAINED else None,
    )


def _large(
    name: str, depth: int, paper: str, fixed=None, defaults=None, torch: TorchNames | None = None
) -> Variant:
    error = IMAGENET.get(name)
    return Variant(
        name,
        large_resnet,
        {"depth": depth, "last_bn": False, **(fixed or {})},
        defaults=defaults or {},
        paper=paper,
        published=f"ImageNet top-1 error {error}" if error else "",
        torch=torch,
    )


VARIANTS = [
    *(_small(f"resnet{d}", d, "resnet", RESNET) for d in (*SHALLOW, *DEEP, 2402)),
    *(_large(f"resnet{d}", d, RESNET, torch=TORCH) for d in BLOCKS),
    *(_small(f"resnet{d}_lastbn", d, "lastbn", last_bn=True) for d in (*SHALLOW, *DEEP, 2402)),
    *(_large(f"resnet{d}_lastbn", d, CONDITIONING, {"last_bn": True}) for d in BLOCKS),
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
    *(_large(f"crelu_resnet{d}", d, CRELU, {"nonlinearity": "crelu"}) for d in (34, 50, 101)),
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
    *(
        _large(
            f"normprop_resnet{d}",
            d,
            CRELU,
            defaults={"norm": "normprop3", "initializer": "glorot_uniform"},
        )
        for d in (34, 50)
    ),
    *(_large(f"plainnet{d}", d, EXPLODING, {"shortcut": "none"}) for d in (18, 34, 50, 101)),
]
