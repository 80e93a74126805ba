"""The three heads of Mask R-CNN: where objects may be, what and where they are, and their masks."""

import keras
from keras import layers

from zoo.detection.head_factory import DELTAS, SCORES, HeadFactory
from zoo.detection.up_conv import UpConv2D

# Sides of what the heads read of the pyramid, and of the masks (He et al., figure 4, right).
BOX_SIZE, MASK_READ_SIZE, MASK_SIZE = 7, 14, 28


def rpn_head(filters: int, anchors: int, factory: HeadFactory) -> keras.Model:
    """The region proposal network: for every anchor of every place, is it an object's?

    Conv 3x3 - ReLU, then one 1x1 convolution each for the scores and the boxes. The same weights
    serve every level of the pyramid. It has no normalization, with `norm="group"` neither.

    Args:
        filters: int, of the maps, also those in between.
        anchors: int, number of anchors at a place.
        factory: `HeadFactory` of the layers.

    Returns:
        Functional `keras.Model`, (N, h, w, filters) -> logits (N, h, w, anchors) and deltas
        (N, h, w, 4 * anchors), those of an anchor side by side.

    References:
        - Ren et al., "Faster R-CNN", section 3.1.
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 4.1.

    Example:

    >>> [x.shape for x in rpn_head(8, 3, HeadFactory()).outputs]
    [(None, None, None, 3), (None, None, None, 12)]
    """
    inputs = factory.input((None, None, filters), "rpn_map")
    x = factory.relu(factory.conv(inputs, filters, 3, "rpn_conv", SCORES), "rpn_conv")
    logits = factory.conv(x, anchors, 1, "rpn_logits", SCORES)
    deltas = factory.conv(x, 4 * anchors, 1, "rpn_deltas", SCORES)
    return keras.Model(inputs, [logits, deltas], name="rpn")


def box_head(filters: int, num_classes: int, units: int, factory: HeadFactory) -> keras.Model:
    """What a region shows, and where exactly: one box for every class.

    Two dense layers of `units` with ReLU; with `norm="group"` four 3x3 convolutions, each with
    group normalization and ReLU, and one dense layer, as Wu and He compare them.

    Args:
        filters: int, of the regions, and of the convolutions.
        num_classes: int, K, the background not counted.
        units: int, of the dense layers.
        factory: `HeadFactory` of the layers.

    Returns:
        Functional `keras.Model`, (N, 7, 7, filters) -> logits (N, K + 1), the background last,
        and deltas (N, 4 * K), those of a class side by side.

    References:
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 4.2.
        - Wu, He, "Group Normalization", section 4.2.

    Example:

    >>> [x.shape for x in box_head(8, 5, 16, HeadFactory()).outputs]
    [(None, 6), (None, 20)]
    """
    x = inputs = factory.input((BOX_SIZE, BOX_SIZE, filters), "box_region")
    if factory.norm == "group":
        x = _convolutions(x, filters, "box", factory)
    x = layers.Flatten(data_format="channels_last", dtype=factory.dtype, name="box_flatten")(x)
    for i in (1,) if factory.norm == "group" else (1, 2):
        x = factory.relu(factory.dense(x, units, f"box_fc{i}"), f"box_fc{i}")
    logits = factory.dense(x, num_classes + 1, "box_logits", SCORES)
    deltas = factory.dense(x, 4 * num_classes, "box_deltas", DELTAS)
    return keras.Model(inputs, [logits, deltas], name="box_head")


def mask_head(filters: int, num_classes: int, factory: HeadFactory) -> keras.Model:
    """Which pixels of a region are the object's: one mask for every class.

    Four 3x3 convolutions with ReLU, a transposed convolution 2x2/2 with ReLU, a 1x1 convolution.

    Args:
        filters: int, of the regions, and of the convolutions.
        num_classes: int, K.
        factory: `HeadFactory` of the layers; the transposed convolution has no normalization.

    Returns:
        Functional `keras.Model`, (N, 14, 14, filters) -> logits (N, K, 28, 28).

    References:
        - He et al., "Mask R-CNN", section 3 and figure 4, right.

    Example:

    >>> mask_head(8, 5, HeadFactory()).output.shape
    (None, 5, 28, 28)
    """
    inputs = factory.input((MASK_READ_SIZE, MASK_READ_SIZE, filters), "mask_region")
    x = _convolutions(inputs, filters, "mask", factory)
    x = UpConv2D(filters, 2, **factory.common("mask_up", "he_normal"))(x)
    logits = factory.conv(factory.relu(x, "mask_up"), num_classes, 1, "mask_logits", DELTAS)
    logits = layers.Permute((3, 1, 2), dtype=factory.dtype, name="mask_permute")(logits)
    return keras.Model(inputs, logits, name="mask_head")


# The layers that depend on the number of classes.
CLASS_LAYERS = ("box_logits", "box_deltas", "mask_logits")


def _convolutions(
    x: keras.KerasTensor, filters: int, prefix: str, factory: HeadFactory
) -> keras.KerasTensor:
    for i in (1, 2, 3, 4):
        name = f"{prefix}_conv{i}"
        x = factory.relu(factory.conv_norm(x, filters, 3, name), name)
    return x
