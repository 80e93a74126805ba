"""Boxes: (x1, y1, x2, y2) in pixels of the image, float32.

Coordinates are continuous: pixel i covers [i, i + 1), and x2 - x1 is the width. A box without
extent, or turned inside out, is empty: its area and its overlap with anything are 0.
"""

import math
from collections.abc import Sequence

import numpy as np
from keras import ops
from keras.utils import bounding_boxes

from zoo.types import Tensor

# Most that a box may grow against its anchor: a sixteenth of 1000 pixels to the whole.
MAX_LOG_SCALE = math.log(1000 / 16)


def area(boxes: Tensor) -> Tensor:
    """Areas in square pixels.

    Args:
        boxes: tensor (…, 4).

    Returns:
        Tensor (…,), float32.

    Example:

    >>> np.array(area([[0.0, 0.0, 4.0, 2.0], [3.0, 3.0, 1.0, 1.0]])).tolist()
    [8.0, 0.0]
    """
    boxes = ops.cast(boxes, "float32")
    extent = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return extent[..., 0] * extent[..., 1]


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of all pairs of boxes.

        iou = |a ∩ b| / |a ∪ b|,    0 where both are empty

    Args:
        a: tensor (…, N, 4).
        b: tensor (…, M, 4), of leading axes that broadcast with those of a.

    Returns:
        Tensor (…, N, M), float32.

    Example:

    >>> np.array(pairwise_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]])).tolist()
    [[0.5]]
    """
    intersection = _intersection(a, b)
    union = area(a)[..., :, None] + area(b)[..., None, :] - intersection
    return _ratio(intersection, union)


def pairwise_ioa(a: Tensor, b: Tensor) -> Tensor:
    """The share of each box a that lies within a box b.

        ioa = |a ∩ b| / |a|,    0 where a is empty

    Args:
        a: tensor (…, N, 4).
        b: tensor (…, M, 4), of leading axes that broadcast with those of a.

    Returns:
        Tensor (…, N, M), float32.

    Example:

    >>> np.array(pairwise_ioa([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]])).tolist()
    [[0.5]]
    """
    return _ratio(_intersection(a, b), area(a)[..., :, None])


def encode(
    boxes: Tensor, anchors: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """What takes anchors to boxes: shifts in sizes of the anchor, logarithms of scales.

        dx = (x - x_a) / w_a,  dy = (y - y_a) / h_a,  dw = log(w / w_a),  dh = log(h / h_a)

    with the centres (x, y) and the sizes (w, h), each times its weight. Finite for empty boxes.

    Args:
        boxes: tensor (…, 4).
        anchors: tensor (…, 4), of leading axes that broadcast with those of the boxes.
        weights: sequence of 4 floats, of dx, dy, dw and dh.

    Returns:
        Tensor of deltas (…, 4), float32.

    References:
        - Girshick et al., "Rich feature hierarchies for accurate object detection and semantic
          segmentation", appendix C.
        - Ren et al., "Faster R-CNN", equation 2.

    Example:

    >>> np.array(encode([[0.0, 0.0, 8.0, 4.0]], [[0.0, 0.0, 4.0, 4.0]])).round(3)
    array([[0.5  , 0.   , 0.693, 0.   ]], dtype=float32)
    """
    boxes, anchors = (ops.convert_to_tensor(x, "float32") for x in (boxes, anchors))
    return bounding_boxes.encode_box_to_deltas(
        anchors, boxes, "xyxy", "xyxy", "center_xywh", variance=_inverse(weights)
    )


def decode(
    deltas: Tensor, anchors: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """The boxes that deltas make of anchors: `encode` the other way round.

    dw and dh end at log(1000/16), so that an untrained net gives finite boxes.

    Args:
        deltas: tensor (…, 4).
        anchors: tensor (…, 4), of leading axes that broadcast with those of the deltas.
        weights: sequence of 4 floats, those that `encode` had.

    Returns:
        Tensor of boxes (…, 4), float32; not clipped to the image.

    Example:

    >>> np.array(decode([[0.5, 0.0, 0.0, 0.0]], [[0.0, 0.0, 4.0, 4.0]])).tolist()
    [[2.0, 0.0, 6.0, 4.0]]
    """
    deltas = ops.cast(deltas, "float32") * _inverse(weights)
    anchors = ops.convert_to_tensor(anchors, "float32")
    limit = np.array([np.inf, np.inf, MAX_LOG_SCALE, MAX_LOG_SCALE], "float32")
    return bounding_boxes.decode_deltas_to_boxes(
        anchors, ops.minimum(deltas, limit), "xyxy", "xyxy", "center_xywh"
    )


def clip(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """The part of boxes within an image; empty for those outside it.

    Args:
        boxes: tensor (…, 4).
        image_size: tuple of int, (height, width) in pixels.

    Returns:
        Tensor (…, 4), float32.

    Example:

    >>> np.array(clip([[-2.0, 1.0, 9.0, 3.0]], (4, 8))).tolist()
    [[0.0, 1.0, 8.0, 3.0]]
    """
    height, width = image_size
    corner = np.array([width, height, width, height], "float32")
    return ops.minimum(ops.maximum(ops.cast(boxes, "float32"), 0.0), corner)


def take_rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows of each image by their index.

        y[b, k] = x[b, index[b, k]]

    Args:
        x: tensor (B, N, …).
        index: tensor (B, K), int.

    Returns:
        Tensor (B, K, …), of the dtype of x.

    Example:

    >>> np.array(take_rows([[[1.0], [2.0]]], [[1, 1, 0]])).tolist()
    [[[2.0], [2.0], [1.0]]]
    """
    x, index = ops.convert_to_tensor(x), ops.cast(index, "int32")
    rows, rest = x.shape[1], tuple(x.shape[2:])
    first = ops.arange(ops.shape(x)[0], dtype="int32")[:, None] * rows
    return ops.take(ops.reshape(x, (-1, *rest)), first + index, axis=0)


def _intersection(a: Tensor, b: Tensor) -> Tensor:
    a, b = ops.cast(a, "float32")[..., :, None, :], ops.cast(b, "float32")[..., None, :, :]
    low = [ops.maximum(a[..., i], b[..., i]) for i in (0, 1)]
    high = [ops.minimum(a[..., i], b[..., i]) for i in (2, 3)]
    width, height = (ops.maximum(h - low_, 0.0) for low_, h in zip(low, high, strict=True))
    return width * height


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return part / ops.where(whole > 0.0, whole, 1.0)


def _inverse(weights: Sequence[float]) -> Tensor:
    return ops.convert_to_tensor(1.0 / np.asarray(weights, "float32"))
