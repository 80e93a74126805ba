"""The feature pyramid: one map of features per scale, each with the semantics of the deepest.

Lin et al., "Feature Pyramid Networks for Object Detection", section 3.
"""

from collections.abc import Mapping

import keras
from keras import layers

from zoo.detection.head_factory import HeadFactory
from zoo.errors import ZooError

# Strides 4 to 64. The heads read P2 to P5, the proposals come from all.
LEVELS = (2, 3, 4, 5, 6)
STRIDES = tuple(2**level for level in LEVELS)

# Uniform of variance 1 / fan-in: no ReLU follows.
_LINEAR = "lecun_uniform"


def levels_of(backbone: keras.Model) -> list[str]:
    """Names of the outputs that a pyramid is made of, the finest first: "P2", …, "P5", or as many
    of them as there are.

    Args:
        backbone: functional `keras.Model`.

    Returns:
        List of str.

    Raises:
        ZooError: the backbone gives no dict of levels, none of stride 4, or one is left out.

    Example:

    >>> levels_of(zoo.create("plainnet20", features=True, width=4))
    ['P2']
    """
    outputs = backbone.output
    known = outputs if isinstance(outputs, Mapping) else {}
    names = [f"P{level}" for level in LEVELS[:-1] if f"P{level}" in known]
    if not names or names != [f"P{level}" for level in LEVELS[: len(names)]]:
        received = ", ".join(sorted(known)) or type(outputs).__name__
        raise ZooError(
            "A detector's backbone must give a dict of maps by level, from 'P2' (stride 4) on "
            "without a gap, as zoo.create(…, features=True) does. "
            f"Received: {backbone.name} with {received}"
        )
    return names


def feature_pyramid(
    backbone: keras.Model, image_size: tuple[int, int], *, filters: int = 256, factory: HeadFactory
) -> keras.Model:
    """The pyramid on a backbone's levels.

    From the coarsest level down, M_l = conv1x1(C_l) + up(M_{l+1}), where up repeats every pixel
    2x2 times, and P_l = conv3x3(M_l). Levels that the backbone does not have are P_l with every
    second pixel of P_{l-1}: P6 as in the paper's section 4.1 (its footnote), and more of them for
    backbones of a smaller stride (PlainNets and other nets for small images end at P2 or P3). A
    level a pixel short of its stride (`maxnorm_plainnet50`) is padded with zeros below and right.

    Args:
        backbone: functional `keras.Model` that gives {"P2": (N, H / 4, W / 4, C2), …}.
        image_size: tuple of int, (H, W) in pixels, multiples of 64.
        filters: int, of every map.
        factory: `HeadFactory` of the layers; a normalization follows every convolution.

    Returns:
        Functional `keras.Model`, dict of the backbone's levels -> list of the maps P2 to P6, the
        finest first, each (N, H / stride, W / stride, filters).

    Raises:
        ZooError: the backbone has no such levels, or a level has another size.

    References:
        - Lin et al., "Feature Pyramid Networks for Object Detection", sections 3 and 4.1.

    Example:

    >>> body = zoo.create("plainnet20", features=True, input_shape=(64, 64, 3), width=4)
    >>> fpn = feature_pyramid(body, (64, 64), filters=8, factory=HeadFactory())
    >>> [x.shape for x in fpn.outputs][:2]
    [(None, 16, 16, 8), (None, 8, 8, 8)]
    """
    names = levels_of(backbone)
    inputs = {name: factory.input(backbone.output[name].shape[1:], name) for name in names}
    merged, maps = None, {}
    for name, level in reversed(list(zip(names, LEVELS, strict=False))):
        x = _fit(inputs[name], image_size, level, factory)
        x = factory.conv_norm(x, filters, 1, f"fpn_lateral{level}", _LINEAR)
        if merged is not None:
            up = layers.UpSampling2D(
                2, data_format="channels_last", dtype=factory.dtype, name=f"fpn_up{level}"
            )(merged)
            x = layers.Add(dtype=factory.dtype, name=f"fpn_add{level}")([x, up])
        merged = x
        maps[level] = factory.conv_norm(x, filters, 3, f"fpn_output{level}", _LINEAR)
    for level in LEVELS[len(names) :]:
        # A pooling of one pixel takes every second one.
        subsample = layers.MaxPooling2D(
            1, 2, data_format="channels_last", dtype=factory.dtype, name=f"fpn_subsample{level}"
        )
        maps[level] = subsample(maps[level - 1])
    return keras.Model(inputs, [maps[level] for level in LEVELS], name="fpn")


def _fit(
    x: keras.KerasTensor, image_size: tuple[int, int], level: int, factory: HeadFactory
) -> keras.KerasTensor:
    """The map, at its full size."""
    missing = [side // 2**level - n for side, n in zip(image_size, x.shape[1:3], strict=True)]
    if not any(missing):
        return x
    if not all(n in (0, 1) for n in missing):
        raise ZooError(
            f"P{level} of the backbone must have a side of {image_size[0] // 2**level} x "
            f"{image_size[1] // 2**level} pixels. Received: {x.shape[1]} x {x.shape[2]}"
        )
    padding = ((0, missing[0]), (0, missing[1]))
    return layers.ZeroPadding2D(
        padding, data_format="channels_last", dtype=factory.dtype, name=f"fpn_pad{level}"
    )(x)
