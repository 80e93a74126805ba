"""SeqNets: plain nets of pairs whose two kernels start as each other's transpose.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", sections 4.2 and 5, appendix B.2.
"""

import dataclasses
import re
from typing import Annotated, Any, Literal

import keras
from keras import layers

from zoo.errors import ZooError
from zoo.layers import SeqConvPair2D, SymmetricMaxPool2D
from zoo.layers.layer_factory import Decay, LayerFactory
from zoo.models.image_model import image_model
from zoo.models.input_shapes import STEMS, Stem, check_stem
from zoo.models.options import Activation, Classes, InputShape, Range, Strength, Width
from zoo.models.torch_names import TorchNames
from zoo.models.variant import Variant
from zoo.regularizers import ScaledOrthogonalRegularizer, Sum
from zoo.types import Tensor

PAPER = "Hu: Revisiting Exploding Gradient: A Ghost That Never Leaves. 2021"

# Blocks of the four stages.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def seqnet(
    depth: int,
    *,
    input_shape: InputShape = (224, 224, 3),
    num_classes: Classes = 1000,
    activation: Activation = "softmax",
    features: bool = False,
    stem: Stem = "imagenet",
    width: Width = 64,
    init: Literal["random", "orthogonal", "linear", "R", "O", "L"] = "R",
    tie_conv2: bool = True,
    tie_conv4: bool = False,
    inner_bias: bool = False,
    inner_norm: bool = False,
    position: Annotated[int, Range(1, 3)] = 1,
    independent: bool = False,
    orthogonal: Strength = 1e-4,
    orthogonal_on: Literal["pointwise", "pairs"] = "pointwise",
    weight_decay: Strength = 1e-4,
    decay: Decay = "kernels",
    skip: bool = False,
    name: str = "seqnet",
) -> keras.Model:
    """A stem, four stages of blocks at `width` * (1, 2, 4, 8), pooling - BN - ReLU - classifier.

    A block of the 18 and 34 layer nets (SeqBasic) is one pair of convolutions, 3x3 d -> 2d and
    1x1 2d -> d, with a ReLU between them and batch normalization behind. In the 50 and 101 layer
    nets (SeqBottle) a second pair follows, 1x1 d -> 4d and 1x1 4d -> d, so these have 4
    convolutions per block. Nothing but the batch normalization lies between two pairs.

    The structure of `seqnet50` and `seqnet101` is that of the paper's program: the first block of
    stages 2 to 4 has a max pooling 3x3/2 behind its 3x3 convolution, the last block of every stage
    maps to the next stage's width, in stage 4 to 32 * `width`. `seqnet18` and `seqnet34`, which
    the program lacks, follow by analogy, and end at 8 * `width` as the ResNets of these depths do.

    Where paper and program differ, or are silent:

    * `init`: "R" is the paper's method and its best (77.1 % against 77.0 %, table 3a); the program
      starts from "L". The linear pairs of "L" keep the gradients most even over the depth.
    * `tie_conv2`, `tie_conv4`: both have the second convolution tied and the fourth free, the best
      row of table 5. The last convolution of a stage that widens is free in any case.
    * `position=3` moves the second pair before the one with the 3x3 convolution; the max pooling
      stays behind the 3x3 convolution.
    * `skip` (77.9 %): "ResNet-like" is read as an identity around every block, and where the shape
      changes, in the first block of stages 2 to 4 and the last of a stage, as a 1x1 convolution
      (of stride 2 where the block pools) with batch normalization. No ReLU follows the sum.
    * The classifier starts Glorot-uniform, the stem He-normal.

    Any image of at least 32x32 pixels fits, of 8x8 with `stem="cifar"`, of 16x16 with
    `stem="tiny_imagenet"`.

    Args:
        depth: int. 18, 34, 50 or 101.
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the pooled features behind BN - ReLU instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages, {"P2", "P3", "P4", "P5"} ("P0" to "P3"
            with `stem="cifar"`, "P1" to "P4" with "tiny_imagenet"), in place of the head.
        stem: str. "imagenet" for a 7x7/2 convolution, BN and a max pooling 3x3/2; "cifar" for a
            3x3/1 convolution and BN, for images of about 32x32 pixels; "tiny_imagenet" for a 3x3/2
            convolution and BN, for about 64x64. None has a ReLU.
        width: int. Filters of the stem.
        init: str. How pairs start, "R", "O" or "L": see `zoo.initializers.SeqExpand`.
        tie_conv2: bool. Whether the first pair of a block has one kernel for good.
        tie_conv4: bool. The same for the second pair, of the nets that have one.
        inner_bias: bool. Whether a bias comes before the ReLU of a pair (table 3b).
        inner_norm: bool. Whether a batch normalization comes before the ReLU of a pair (table 3b).
        position: int. Which convolution of a block is the 3x3 one: 1, 2, or 3 (table 3c).
        independent: bool. Whether the two kernels of a free pair start independently, the paper's
            negative control (appendix B.2); needs `tie_conv2=False`.
        orthogonal: float. Strength of `zoo.regularizers.ScaledOrthogonalRegularizer`, on the
            kernels of `orthogonal_on`, together with
        weight_decay: float. Coefficient d of L2 weight decay, whose gradient is d * w, on all
            kernels, or with
        decay: str, "all" in place of "kernels", on all weights, as the paper's program has it.
        orthogonal_on: str. "pointwise" for the 1x1 convolutions, as the paper's program has it for
            50 and 101 layers; "pairs" for the matrix of every tied pair, too, the centre tap of
            its 3x3 kernel: the default of 18 and 34 layers, whose tied pairs own nothing else.
        skip: bool. Whether skip connections lead around the blocks.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Raises:
        ZooError: for another depth, stem, init or position, an image too small, and for
            `position=3` or `tie_conv4` where blocks have one pair.

    Example:

    >>> model = seqnet(18, input_shape=(32, 32, 3), stem="cifar", width=4, features=True)
    >>> {level: tuple(x.shape) for level, x in model.output.items()}
    {'P0': (None, 32, 32, 8), 'P1': (None, 16, 16, 16), 'P2': (None, 8, 8, 32),
     'P3': (None, 4, 4, 32)}
    """
    if depth not in BLOCKS:
        raise ZooError(f"depth must be one of {', '.join(map(str, BLOCKS))}. Received: {depth}")
    two_pairs = depth >= 50
    if position not in (1, 2, 3) or (position == 3 and not two_pairs):
        allowed = "1, 2 or 3" if two_pairs else "1 or 2"
        raise ZooError(f"{name}: position must be {allowed}. Received: position={position!r}")
    if tie_conv4 and not two_pairs:
        raise ZooError(f"{name}: blocks have no fourth convolution. Received: tie_conv4=True")
    if independent and (tie_conv2 or tie_conv4):
        raise ZooError(f"{name}: independent=True needs tie_conv2=False and tie_conv4=False.")
    check_stem(name, stem, input_shape)

    factory = LayerFactory(initializer="he_normal", weight_decay=weight_decay, decay=decay)
    pair: dict[str, Any] = {
        "init": init,
        "inner_bias": inner_bias,
        "inner_norm": inner_norm,
        "orthogonal": orthogonal,
        "orthogonal_on": orthogonal_on,
        "weight_decay": weight_decay,
        "decay": decay,
    }
    # The pairs of a block in order: expansion, sizes of the convolutions.
    sizes = {"expand_size": 1, "contract_size": 3} if position == 2 else {"expand_size": 3}
    three = {"expansion": 2, **sizes}
    ones = {"expansion": 4, "expand_size": 1}
    kinds = ([ones, three] if position == 3 else [three, ones]) if two_pairs else [three]
    ties = (tie_conv2, tie_conv4)

    def block(x: Tensor, filters: int, pool: bool, name: str) -> Tensor:
        y = x
        for i, kind in enumerate(kinds):
            last = i == len(kinds) - 1
            units = filters if last else x.shape[-1]
            y = SeqConvPair2D(
                units,
                tied=ties[i] and units == x.shape[-1],
                independent=independent,
                pool=pool and kind is three,
                name=f"{name}_pair{i + 1}",
                **kind,
                **pair,
            )(y)
        if not skip:
            return y
        if pool or filters != x.shape[-1]:
            conv = factory.conv(filters, 1, f"{name}_skip_conv", 2 if pool else 1)
            if orthogonal:
                terms = [conv.kernel_regularizer, ScaledOrthogonalRegularizer(orthogonal)]
                conv.kernel_regularizer = Sum([term for term in terms if term])
            x = factory.batch_norm(f"{name}_skip_norm")(conv(x))
        return layers.Add(name=f"{name}_add")([x, y])

    inputs = keras.Input(input_shape, name="image")
    size, stride, _ = STEMS[stem]
    x = factory.conv(width, size, "stem_conv", stride)(inputs)
    x = factory.batch_norm("stem_norm")(x)
    if stem == "imagenet":
        x = SymmetricMaxPool2D(3, 2, name="stem_pool")(x)
        stride *= 2
    ends = (2 * width, 4 * width, 8 * width, (32 if two_pairs else 8) * width)
    levels = {}
    for stage, (blocks, end) in enumerate(zip(BLOCKS[depth], ends, strict=True), start=1):
        for i in range(1, blocks + 1):
            filters = end if i == blocks else x.shape[-1]
            x = block(x, filters, pool=stage > 1 and i == 1, name=f"stage{stage}_{i}")
        levels[stride * 2 ** (stage - 1)] = x
    return image_model(
        inputs,
        levels,
        factory=dataclasses.replace(factory, initializer="glorot_uniform"),
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=name,
        head=[factory.batch_norm("head_norm"), layers.ReLU(name="head_relu")],
    )


def _torch_module(layer: str) -> str | None:
    ends = {
        "stem_conv": "conv1.0",
        "stem_norm": "conv1.1",
        "head_norm": "classifier.2",
        "head_dense": "classifier.4",
    }
    if layer in ends:
        return ends[layer]
    match = re.fullmatch(r"stage(\d+)_(\d+)_pair([12])/?(\w*)", layer)
    if not match:
        return None
    stage, block, pair, part = match.groups()
    modules = {
        "": f"conv{pair}",  # the inner bias, a weight of the pair itself
        "expand": f"conv{pair}",
        "inner_norm": f"inter_bn{pair}",
        "norm": f"bn{pair}",
    }
    module = "conv3" if (pair, part) == ("2", "contract") else modules.get(part)
    return module and f"layer{stage}.{int(block) - 1}.{module}"


# Of the authors' program, which has `seqnet50` and `seqnet101`.
TORCH = TorchNames(
    _torch_module,
    "classifier.4",
    {"inner_bias": "layer1.0.conv1.bias", "inner_norm": "layer1.0.inter_bn1.weight"},
)

_ACCURACY = {
    18: "72.4 % (table 1)",
    34: "75.7 % (table 1; 75.3 % in table 4)",
    50: "77.1 % (table 1)",
    101: "76.7 % (table 1)",
}

VARIANTS = [
    Variant(
        f"seqnet{depth}",
        seqnet,
        {"depth": depth, "skip": False},
        {"orthogonal_on": "pairs"} if depth < 50 else {},
        paper=PAPER,
        published=f"ImageNet top-1 accuracy {accuracy}",
        weights="cifar10" if depth in (18, 50) else None,
        torch=TORCH if depth >= 50 else None,
    )
    for depth, accuracy in _ACCURACY.items()
] + [
    Variant(
        "skip_seqnet50",
        seqnet,
        {"depth": 50, "skip": True},
        paper=PAPER,
        published="ImageNet top-1 accuracy 77.9 % (appendix B.3)",
    )
]
