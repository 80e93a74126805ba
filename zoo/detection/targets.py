"""What the two stages of the detector are to learn: matching, sampling, and cut-out masks.

`targets` is a training input of the model, of which "boxes" (B, G, 4), "labels" (B, G), -1 in
empty slots, and "crowd" (B, G) are read. A crowd box surrounds many objects: it is no object
itself, and what lies in it by more than a half is not background either.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import keras
from keras import ops

from zoo.detection.boxes import area, encode, pairwise_ioa, pairwise_iou, take_rows
from zoo.detection.roi_align import axis_weights
from zoo.types import Tensor

# Of `keras.random`: a number, or a state that goes on.
Seed: TypeAlias = int | keras.random.SeedGenerator | None


class Rois(NamedTuple):
    """A sample of the regions of interest, S for each image; the positive ones come first.

    Attributes:
        boxes: tensor (B, S, 4).
        valid: tensor (B, S), bool. Rows that could not be filled are False; their content is
            arbitrary.
        labels: tensor (B, S), int32. The class of the object, -1 for background and invalid rows.
        matched: tensor (B, S), int32. The slot of the object among the targets, in rows with a
            label.
        gt_boxes: tensor (B, S, 4). The box of that object.
    """

    boxes: Tensor
    valid: Tensor
    labels: Tensor
    matched: Tensor
    gt_boxes: Tensor


def anchor_targets(
    anchors: Tensor, targets: Mapping[str, Tensor], samples: int = 256, seed: Seed = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Objectness and box deltas for the region proposal network.

    An anchor is positive where its IoU with an object is at least 0.7, or the highest that any
    anchor has with that object (all of them where several have it); else negative where its IoU
    with every object is below 0.3 and no crowd takes more than half of it. A random sample of
    them counts: up to samples / 2 positives, filled up with negatives. Anchors that stick out of
    the image take part.

    Args:
        anchors: tensor (A, 4).
        targets: dict of tensors, see the module.
        samples: int, the number of anchors of each image that count.
        seed: int or `keras.random.SeedGenerator`; None for a random one.

    Returns:
        Tensors: labels (B, A), 1 for positive anchors, else 0; weights (B, A), 1 for those of the
        sample, else 0; deltas (B, A, 4) from each anchor to the object it overlaps most. All
        float32, gradients stopped.

    References:
        - Ren et al., "Faster R-CNN", section 3.1.2 and 3.1.3.
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 5.1: anchors at the
          border.

    Example:

    >>> box = np.array([[[0.0, 0.0, 8.0, 8.0]]])
    >>> targets = {"boxes": box, "labels": np.array([[2]]), "crowd": np.array([[0]])}
    >>> anchors = np.array([[0.0, 0.0, 8.0, 7.0], [20.0, 20.0, 28.0, 28.0]])
    >>> labels, weights, deltas = anchor_targets(anchors, targets, samples=2, seed=0)
    >>> np.array(labels).tolist(), np.array(weights).tolist()
    ([[1.0, 0.0]], [[1.0, 1.0]])
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
    proposals: Tensor,
    valid: Tensor,
    targets: Mapping[str, Tensor],
    samples: int = 512,
    positive: float = 0.25,
    seed: Seed = None,
) -> Rois:
    """The regions that the box head and the mask head are trained on.

    Proposals and the objects' own boxes together; one is positive where its IoU with an object is
    at least 0.5, else background where no crowd takes more than half of it. A random sample: up
    to samples * positive positives, filled up with background. The positives are the first rows,
    so that the first int(samples * positive) rows are all that the mask head needs.

    Args:
        proposals: tensor (B, R, 4).
        valid: tensor (B, R), bool; False for rows of proposals that are none.
        targets: dict of tensors, see the module.
        samples: int, S, regions of each image.
        positive: float, largest share of positive ones.
        seed: int or `keras.random.SeedGenerator`; None for a random one.

    Returns:
        `Rois`, gradients stopped.

    References:
        - Girshick, "Fast R-CNN", section 2.3.
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 5.2, and He et al.,
          "Mask R-CNN", section 3.1: the numbers.

    Example:

    >>> box = np.array([[[0.0, 0.0, 8.0, 8.0]]])
    >>> targets = {"boxes": box, "labels": np.array([[2]]), "crowd": np.array([[0]])}
    >>> proposals = np.array([[[30.0, 30.0, 40.0, 40.0]]])
    >>> rois = sample_rois(proposals, np.array([[True]]), targets, samples=4, seed=0)
    >>> np.array(rois.labels).tolist(), np.array(rois.valid).tolist()
    ([[2, -1, -1, -1]], [[True, True, False, False]])
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


def crop_masks(
    masks: Tensor, matched: Tensor, boxes: Tensor, gt_boxes: Tensor, size: int
) -> Tensor:
    """The masks of objects as seen in other boxes: 1 where at least half of a cell is covered.

    Args:
        masks: tensor (B, G, M, M) of 0 and 1, each in the frame of its own box.
        matched: tensor (B, F), int, which of the G belongs to each box.
        boxes: tensor (B, F, 4), the frames wanted.
        gt_boxes: tensor (B, F, 4), the boxes of the matched objects.
        size: int, cells along each side.

    Returns:
        Tensor (B, F, size, size), float32, 0 or 1; 0 outside the object's box.

    Example:

    >>> box, wider = np.array([[[0.0, 0.0, 8.0, 8.0]]]), np.array([[[0.0, 0.0, 16.0, 8.0]]])
    >>> masks = crop_masks(np.ones((1, 1, 4, 4)), np.array([[0]]), wider, box, size=2)
    >>> np.array(masks).tolist()
    [[[[1.0, 0.0], [1.0, 0.0]]]]
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


def _read(targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The boxes, and which of them are objects and which are crowds."""
    boxes = ops.stop_gradient(ops.cast(targets["boxes"], "float32"))
    there = (ops.convert_to_tensor(targets["labels"]) >= 0) & (area(boxes) > 0.0)
    crowd = ops.cast(targets["crowd"], "bool")
    return boxes, there & ~crowd, there & crowd


def _where_object(iou: Tensor, is_object: Tensor) -> Tensor:
    return ops.where(is_object[:, None, :], iou, 0.0)


def _in_crowd(candidates: Tensor, boxes: Tensor, is_crowd: Tensor) -> Tensor:
    return ops.any((pairwise_ioa(candidates, boxes) > 0.5) & is_crowd[:, None, :], axis=-1)


def _random_sample(wanted: Tensor, priority: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Indices (B, n) of the wanted entries of highest priority, and which of the n are such."""
    number = min(number, wanted.shape[-1])
    value, index = ops.top_k(ops.where(wanted, priority, -1.0), number)
    return index, value >= 0.0


def _mark(index: Tensor, flags: Tensor, like: Tensor) -> Tensor:
    """1.0 at the flagged indices, else 0, in the shape (B, A) of `like`."""
    batch, length = ops.shape(like)[0], like.shape[1]
    flat = ops.arange(batch, dtype="int32")[:, None] * length + ops.cast(index, "int32")
    flags = ops.reshape(ops.cast(flags, "float32"), (-1,))
    marks = ops.scatter(ops.reshape(flat, (-1, 1)), flags, (batch * length,))
    return ops.reshape(marks, (-1, length))
