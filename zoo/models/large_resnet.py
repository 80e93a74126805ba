"""Residual networks for 224x224 images, and their relatives.

He et al., "Deep Residual Learning for Image Recognition". A last BatchNorm: Huang et al.,
"Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs", section 5. CReLU and
NormProp: Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
Rectified Linear Units". Plain nets: Hu, "Revisiting Exploding Gradient: A Ghost That Never
Leaves", figure 4.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import keras

from zoo.errors import ZooError
from zoo.layers import SymmetricMaxPool2D
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
from zoo.models.input_shapes import STEMS, Stem, check_stem
from zoo.models.options import (
    Activation,
    Classes,
    InitialScale,
    InputShape,
    LastGamma,
    Range,
    Share,
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
from zoo.models.torch_names import TorchNames
from zoo.models.variant import Variant

EXPLODING = "Hu: Revisiting Exploding Gradient: A Ghost That Never Leaves. 2021"

# Blocks of the four stages, and whether they are bottlenecks.
BLOCKS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


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
    """A stem and four stages at `width` * (1, 2, 4, 8), of bottlenecks from 50 layers on.

    The stride of a stage is on the 3x3 convolution of its first block, as in torchvision's
    networks, whose numbers of parameters these have. Any image of at least 32x32 pixels fits, of
    8x8 with `stem="cifar"`, of 16x16 with `stem="tiny_imagenet"`. The variables of stage s,
    block b are `stage{s}/block{b}/…`.

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
        last_gamma: float. Where the last scale of a block starts. Hu's program has 0 for its
            ResNets ("zero-gamma"); torchvision's and the papers' tables start from 1.
        nonlinearity: str. With "crelu", inside the blocks only, in a bottleneck behind the first
            two convolutions.
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
        ZooError: for another depth or stem, an image too small, and options that need others.

    Example:

    >>> model = large_resnet(18, input_shape=(32, 32, 3), stem="cifar", width=4)
    >>> [layer.name for layer in model.layers if layer.name.startswith("stage")]
    ['stage1', 'stage2', 'stage3', 'stage4']
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
        decay=decay,
        initial_scale=initial_scale,
    )
    outside = outside_blocks(factory)
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
            last_gamma=last_gamma,
            factory=factory,
            name=f"stage{stage}",
        )(x)
        levels[stride * 2 ** (stage - 1)] = x
    if final_conv:
        levels[stride * 8] = outside.conv_norm_act(x, final_conv, 3, "final")
    return image_model(
        inputs,
        levels,
        factory=classifier_factory(factory, head_initializer),
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
        head=head_layers(factory, last_bn, head_gamma, dropout),
    )


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

# Errors on ImageNet.
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
    "normprop_resnet34": "29.72% (table 4); with CReLU 28.28%",
    "normprop_resnet50": "28.08% (table 4); with CReLU 26.12%",
}


def _large(
    name: str,
    depth: int,
    paper: str,
    fixed: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    torch: TorchNames | None = None,
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
    *(_large(f"resnet{d}", d, RESNET, torch=TORCH) for d in BLOCKS),
    *(_large(f"resnet{d}_lastbn", d, CONDITIONING, {"last_bn": True}) for d in BLOCKS),
    *(_large(f"crelu_resnet{d}", d, CRELU, {"nonlinearity": "crelu"}) for d in (34, 50, 101)),
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
