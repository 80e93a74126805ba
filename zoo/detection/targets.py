"""What the two stages of the detector are to learn: matching, sampling, and cut-out masks.

`targets` is a training input of the model, of which "boxes" (B, G, 4), "labels" (B, G), -1 in
empty slots, and "crowd" (B, G) are read. A crowd box surrounds many objects: it is no object
itself, and what lies in it by more than a half is not background either.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from zoo.detection.boxes import area, encode, pairwise_ioa, pairwise_iou, take_rows
from zoo.detection.roi_align import axis_weights


class Rois(NamedTuple):
    """A sample of the regions of interest, S for each image; the positive ones come first.

    Attributes:
        boxes: (B, S, 4).
        valid: (B, S), bool. Rows that could not be filled are False; their content is arbitrary.
        labels: (B, S), int32. The class of the object, -1 for background and invalid rows.
        matched: (B, S), int32. The slot of the object among the targets, in rows with a label.
        gt_boxes: (B, S, 4). The box of that object.
    """

    boxes: Any
    valid: Any
    labels: Any
    matched: Any
    gt_boxes: Any


def anchor_targets(anchors, targets: Mapping, samples: int = 256, seed=None):
    """Objectness and box deltas for the region proposal network.

    An anchor is positive where its IoU with an object is at least 0.7, or the highest that any
    anchor has with that object (all of them where several have it); else negative where its IoU
    with every object is below 0.3 and no crowd takes more than half of it. A random sample of
    them counts: up to samples / 2 positives, filled up with negatives. Anchors that stick out of
    the image take part.

    Source: Ren et al., "Faster R-CNN", section 3.1.2 and 3.1.3; anchors at the border: Lin et
    al., "Feature Pyramid Networks for Object Detection", section 5.1.

    Args:
        anchors: (A, 4).
        targets: see the module.
        samples: how many anchors of each image count.
        seed: int or `keras.random.SeedGenerator`.

    Returns:
        labels (B, A), 1 for positive anchors, else 0; weights (B, A), 1 for those of the sample,
        else 0; deltas (B, A, 4) from each anchor to the object it overlaps most. All float32,
        gradients stopped.

    Example:

    >>> labels, weights, deltas = anchor_targets(anchors, targets, seed=SeedGenerator(0))
    """
    boxes, is_object, is_crowd = _read(targets)
    anchors = ops.convert_to_tensor(anchors, "float32")
    iou = _where_object(pairwise_iou(anchors[None], boxes), is_object)
    best = ops.max(iou, axis=-1)
    best_of_object = ops.max(iou, axis=-2, keepdims=True)
    is_best = (iou == best_of_object) & (best_of_object > 0.0)
    positive = (best >= 0.7) | ops.any(is_best, axis=-1)
    negative = ~positive & (best < 0.3) & ~_in_crowd(anchors[None], boxes, is_crowd)
    # Of the objects with the highest overlap the first.
    matched = take_rows(boxes, ops.argmax(iou, axis=-1))

    priority = keras.random.uniform(ops.shape(best), seed=seed)
    positives, taken = _random_sample(positive, priority, samples // 2)
    number = ops.sum(ops.cast(taken, "int32"), axis=-1, keepdims=True)
    negatives, free = _random_sample(negative, priority, samples)
    free = free & (ops.arange(free.shape[-1]) < samples - number)
    weights = _mark(positives, taken, best) + _mark(negatives, free, best)
    labels = ops.cast(positive, "float32")
    return tuple(map(ops.stop_gradient, (labels, weights, encode(matched, anchors))))


def sample_rois(
    proposals, valid, targets: Mapping, samples: int = 512, positive: float = 0.25, seed=None
) -> Rois:
    """The regions that the box head and the mask head are trained on.

    Proposals and the objects' own boxes together; one is positive where its IoU with an object is
    at least 0.5, else background where no crowd takes more than half of it. A random sample: up
    to samples * positive positives, filled up with background. The positives are the first rows,
    so that the first int(samples * positive) rows are all that the mask head needs.

    Source: Girshick, "Fast R-CNN", section 2.3, with the numbers of Lin et al., "Feature Pyramid
    Networks for Object Detection", section 5.2, and He et al., "Mask R-CNN", section 3.1.

    Args:
        proposals: (B, R, 4).
        valid: (B, R), bool; False for rows of proposals that are none.
        targets: see the module.
        samples: S, regions of each image.
        positive: largest share of positive ones.
        seed: int or `keras.random.SeedGenerator`.

    Returns:
        Rois, gradients stopped.

    Example:

    >>> rois = sample_rois(proposals, valid, targets, seed=SeedGenerator(0))
    >>> rois.boxes.shape
    (2, 512, 4)
    """
    boxes, is_object, is_crowd = _read(targets)
    candidates = ops.concatenate([ops.cast(proposals, "float32"), boxes], axis=1)
    valid = ops.concatenate([ops.cast(valid, "bool"), is_object], axis=1)
    missing = max(0, samples - candidates.shape[1])
    candidates = ops.pad(candidates, [(0, 0), (0, missing), (0, 0)])
    valid = ops.pad(valid, [(0, 0), (0, missing)], constant_values=False)
    iou = _where_object(pairwise_iou(candidates, boxes), is_object)
    best, matched = ops.max(iou, axis=-1), ops.argmax(iou, axis=-1)
    is_positive = valid & (best >= 0.5)
    is_negative = valid & (best < 0.5) & ~_in_crowd(candidates, boxes, is_crowd)

    priority = keras.random.uniform(ops.shape(best), seed=seed)
    positives, taken = _random_sample(is_positive, priority, int(samples * positive))
    negatives, free = _random_sample(is_negative, priority, samples)
    index = ops.concatenate([positives, negatives], axis=-1)
    filled = ops.concatenate([taken, free], axis=-1)
    # Close the gaps: the filled rows in their order, then the others.
    rank = ops.where(filled, 2, 1) * filled.shape[-1] - ops.arange(filled.shape[-1])
    rows = ops.top_k(rank, samples)[1]
    index, filled = take_rows(index, rows), take_rows(filled, rows)

    matched = take_rows(ops.cast(matched, "int32"), index)
    has_object = filled & take_rows(is_positive, index)
    labels = ops.cast(targets["labels"], "int32")
    rois = Rois(
        boxes=take_rows(candidates, index),
        valid=filled,
        labels=ops.where(has_object, take_rows(labels, matched), -1),
        matched=matched,
        gt_boxes=take_rows(boxes, matched),
    )
    return Rois(*map(ops.stop_gradient, rois))


def crop_masks(masks, matched, boxes, gt_boxes, size: int):
    """The masks of objects as seen in other boxes: 1 where at least half of a cell is covered.

    Args:
        masks: (B, G, M, M) of 0 and 1, each in the frame of its own box.
        matched: (B, F), which of the G belongs to each box.
        boxes: (B, F, 4), the frames to give.
        gt_boxes: (B, F, 4), the boxes of the matched objects.
        size: cells along each side.

    Returns:
        (B, F, size, size), float32, 0 or 1; 0 outside the object's box.

    Example:

    >>> first = [x[:, :128] for x in (rois.matched, rois.boxes, rois.gt_boxes)]
    >>> crop_masks(targets["masks"], *first, size=28).shape
    (2, 128, 28, 28)
    """
    cells = masks.shape[-1]
    boxes, gt_boxes = ops.cast(boxes, "float32"), ops.cast(gt_boxes, "float32")
    corner, extent = gt_boxes[..., :2], gt_boxes[..., 2:] - gt_boxes[..., :2]
    scale = cells / ops.where(extent > 0.0, extent, 1.0)
    low, high = (boxes[..., :2] - corner) * scale, (boxes[..., 2:] - corner) * scale
    # Four points along each side of a cell see what 28 of 112 cells hold.
    across, down = (axis_weights(low[..., i], high[..., i], cells, size, 4) for i in (0, 1))
    masks = ops.cast(take_rows(masks, matched), "float32")
    covered = ops.matmul(ops.matmul(down, masks), ops.swapaxes(across, -1, -2))
    return ops.stop_gradient(ops.cast(covered >= 0.5, "float32"))


def _read(targets):
    """The boxes, and which of them are objects and which are crowds."""
    boxes = ops.stop_gradient(ops.cast(targets["boxes"], "float32"))
    there = (ops.convert_to_tensor(targets["labels"]) >= 0) & (area(boxes) > 0.0)
    crowd = ops.cast(targets["crowd"], "bool")
    return boxes, there & ~crowd, there & crowd


def _where_object(iou, is_object):
    return ops.where(is_object[:, None, :], iou, 0.0)


def _in_crowd(candidates, boxes, is_crowd):
    return ops.any((pairwise_ioa(candidates, boxes) > 0.5) & is_crowd[:, None, :], axis=-1)


def _random_sample(wanted, priority, number: int):
    """Indices (B, n) of the wanted entries of highest priority, and which of the n are such."""
    number = min(number, wanted.shape[-1])
    value, index = ops.top_k(ops.where(wanted, priority, -1.0), number)
    return index, value >= 0.0


def _mark(index, flags, like):
    """1.0 at the flagged indices, else 0, in the shape (B, A) of `like`."""
    batch, length = ops.shape(like)[0], like.shape[1]
    flat = ops.arange(batch, dtype="int32")[:, None] * length + ops.cast(index, "int32")
    flags = ops.reshape(ops.cast(flags, "float32"), (-1,))
    marks = ops.scatter(ops.reshape(flat, (-1, 1)), flags, (batch * length,))
    return ops.reshape(marks, (-1, length))
