"""Boxes: (x1, y1, x2, y2) in pixels of the image, float32.

Coordinates are continuous: pixel i covers [i, i + 1), and x2 - x1 is the width. A box without
extent, or turned inside out, is empty: its area and its overlap with anything are 0.
"""

import math
from collections.abc import Sequence

import numpy as np
from keras import ops
from keras.utils import bounding_boxes

# Most that a box may grow against its anchor: a sixteenth of 1000 pixels to the whole.
MAX_LOG_SCALE = math.log(1000 / 16)


def area(boxes):
    """Areas (…,) in square pixels of boxes (…, 4).

    Example:

    >>> area([[0.0, 0.0, 4.0, 2.0], [3.0, 3.0, 1.0, 1.0]])  # [8, 0]
    """
    boxes = ops.cast(boxes, "float32")
    extent = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return extent[..., 0] * extent[..., 1]


def pairwise_iou(a, b):
    """Intersection over union of all pairs: boxes a (…, N, 4), b (…, M, 4), to (…, N, M).

        iou = |a ∩ b| / |a ∪ b|,    0 where both are empty

    The leading axes broadcast.

    Example:

    >>> pairwise_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]])  # [[0.5]]
    """
    intersection = _intersection(a, b)
    union = area(a)[..., :, None] + area(b)[..., None, :] - intersection
    return _ratio(intersection, union)


def pairwise_ioa(a, b):
    """The share of each a that lies within b: a (…, N, 4), b (…, M, 4), to (…, N, M).

        ioa = |a ∩ b| / |a|,    0 where a is empty

    Example:

    >>> pairwise_ioa([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]])  # [[0.5]]
    """
    return _ratio(_intersection(a, b), area(a)[..., :, None])


def encode(boxes, anchors, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)):
    """What takes anchors to boxes: shifts in sizes of the anchor, logarithms of scales.

        dx = (x - x_a) / w_a,  dy = (y - y_a) / h_a,  dw = log(w / w_a),  dh = log(h / h_a)

    with the centres (x, y) and the sizes (w, h), each times its weight. Finite for empty boxes.

    Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic
    segmentation", appendix C; Ren et al., "Faster R-CNN", equation 2.

    Args:
        boxes: (…, 4).
        anchors: (…, 4), of leading axes that broadcast with those of the boxes.
        weights: of dx, dy, dw and dh.

    Returns:
        Deltas (…, 4), float32.

    Example:

    >>> encode([[0.0, 0.0, 8.0, 4.0]], [[0.0, 0.0, 4.0, 4.0]])  # [[0.5, 0, log 2, 0]]
    """
    boxes, anchors = (ops.convert_to_tensor(x, "float32") for x in (boxes, anchors))
    return bounding_boxes.encode_box_to_deltas(
        anchors, boxes, "xyxy", "xyxy", "center_xywh", variance=_inverse(weights)
    )


def decode(deltas, anchors, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)):
    """The boxes that deltas make of anchors: `encode` the other way round.

    dw and dh end at log(1000/16), so that an untrained net gives finite boxes.

    Args:
        deltas: (…, 4).
        anchors: (…, 4), of leading axes that broadcast with those of the deltas.
        weights: those given to `encode`.

    Returns:
        Boxes (…, 4), float32; not clipped to the image.

    Example:

    >>> decode([[0.5, 0.0, 0.0, 0.0]], [[0.0, 0.0, 4.0, 4.0]])  # [[2, 0, 6, 4]]
    """
    deltas = ops.cast(deltas, "float32") * _inverse(weights)
    anchors = ops.convert_to_tensor(anchors, "float32")
    limit = np.array([np.inf, np.inf, MAX_LOG_SCALE, MAX_LOG_SCALE], "float32")
    return bounding_boxes.decode_deltas_to_boxes(
        anchors, ops.minimum(deltas, limit), "xyxy", "xyxy", "center_xywh"
    )


def clip(boxes, image_size: tuple[int, int]):
    """The part of boxes (…, 4) within an image of (height, width); empty for those outside it.

    Example:

    >>> clip([[-2.0, 1.0, 9.0, 3.0]], (4, 8))  # [[0, 1, 8, 3]]
    """
    height, width = image_size
    corner = np.array([width, height, width, height], "float32")
    return ops.minimum(ops.maximum(ops.cast(boxes, "float32"), 0.0), corner)


def take_rows(x, index):
    """Rows of x (B, N, …) by index (B, K): y[b, k] = x[b, index[b, k]], (B, K, …).

    Example:

    >>> take_rows([[[1.0], [2.0]]], [[1, 1, 0]])  # [[[2], [2], [1]]]
    """
    x, index = ops.convert_to_tensor(x), ops.cast(index, "int32")
    rows, rest = x.shape[1], tuple(x.shape[2:])
    first = ops.arange(ops.shape(x)[0], dtype="int32")[:, None] * rows
    return ops.take(ops.reshape(x, (-1, *rest)), first + index, axis=0)


def _intersection(a, b):
    a, b = ops.cast(a, "float32")[..., :, None, :], ops.cast(b, "float32")[..., None, :, :]
    low = [ops.maximum(a[..., i], b[..., i]) for i in (0, 1)]
    high = [ops.minimum(a[..., i], b[..., i]) for i in (2, 3)]
    width, height = (ops.maximum(h - low_, 0.0) for low_, h in zip(low, high, strict=True))
    return width * height


def _ratio(part, whole):
    return part / ops.where(whole > 0.0, whole, 1.0)


def _inverse(weights):
    return ops.convert_to_tensor(1.0 / np.asarray(weights, "float32"))
