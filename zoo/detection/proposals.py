"""Which boxes go on: the proposals of the first stage, and the detections of the second.

Both take the best scores, make boxes of their deltas, and keep one box per object.
"""

from collections.abc import Callable, Sequence

from keras import ops

from zoo.detection.boxes import area, clip, decode, take_rows
from zoo.detection.losses import BOX_WEIGHTS
from zoo.detection.nms import non_max_suppression
from zoo.types import Tensor

# Overlap of two proposals of one level (Ren et al., "Faster R-CNN", section 3.3).
PROPOSAL_OVERLAP = 0.7
# Boxes that go into the suppression by classes.
CANDIDATES = 1000
# Detections whose masks are drawn at a time.
PART = 10

_NEVER = -float("inf")


def propose(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Sequence[Tensor],
    image_size: tuple[int, int],
    *,
    per_level: int,
    total: int,
) -> tuple[Tensor, Tensor]:
    """The boxes that the region proposal network believes in most.

    Of every level the `per_level` best anchors, moved by their deltas, clipped to the image,
    rid of overlaps above 0.7; of all these the `total` best. Empty boxes are left out.

    Args:
        logits, deltas, anchors: sequences of tensors, of each level (B, n), (B, n, 4), (n, 4).
        image_size: tuple of int, (H, W) in pixels.
        per_level, total: int, the number of boxes, or as many as there are.

    Returns:
        Tensors: boxes (B, R, 4), and valid (B, R), False in the rows that are left over; R is
        `total`, or less where all levels together have less. Gradients are stopped.

    References:
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 5.1.

    Example:

    >>> anchors = np.array([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 9.0]])
    >>> deltas = np.zeros((1, 2, 4))
    >>> boxes, valid = propose(
    ...     [np.array([[1.0, 2.0]])], [deltas], [anchors], (64, 64), per_level=2, total=2
    ... )
    >>> np.array(boxes)[np.array(valid)].tolist()  # the other overlaps by more than 0.7
    [[0.0, 0.0, 8.0, 9.0]]
    """
    levels = [
        _best_of_level(*level, image_size, per_level)
        for level in zip(logits, deltas, anchors, strict=True)
    ]
    boxes = ops.concatenate([boxes for boxes, _ in levels], axis=1)
    scores = ops.concatenate([scores for _, scores in levels], axis=1)
    scores, rows = ops.top_k(scores, min(total, scores.shape[1]))
    return take_rows(boxes, rows), scores > _NEVER


def detect(
    logits: Tensor,
    deltas: Tensor,
    proposals: Tensor,
    valid: Tensor,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    nms_threshold: float,
    count: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """The objects among the proposals, the most certain first.

    Every proposal may give a box for every class whose probability exceeds `score_threshold`; the
    1000 best of all classes are rid of overlaps within their class, and the `count` best of these
    remain.

    Args:
        logits: tensor (B, R, K + 1), background last.
        deltas: tensor (B, R, 4 * K).
        proposals: tensor (B, R, 4).
        valid: tensor (B, R), bool.
        image_size: tuple of int, (H, W) in pixels.
        score_threshold: float, see above.
        nms_threshold: float, the largest overlap that two boxes of a class may have.
        count: int, see above.

    Returns:
        Tensors: boxes (B, D, 4), scores (B, D), and labels (B, D), int32; 0, 0 and -1 in the rows
        that are left over. D is `count`, or R * K where that is less.

    References:
        - He et al., "Mask R-CNN", section 3.1, "Inference".

    Example:

    >>> logits = np.array([[[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]]])  # class 0, and background
    >>> proposals = np.array([[[0.0, 0.0, 8.0, 8.0], [8.0, 8.0, 20.0, 20.0]]])
    >>> boxes, scores, labels = detect(
    ...     logits, np.zeros((1, 2, 8)), proposals, np.ones((1, 2)), (64, 64),
    ...     score_threshold=0.5, nms_threshold=0.5, count=2,
    ... )
    >>> np.array(labels).tolist(), np.array(boxes)[0, 0].tolist()
    ([[0, -1]], [0.0, 0.0, 8.0, 8.0])
    """
    classes = logits.shape[-1] - 1
    scores = ops.softmax(ops.cast(logits, "float32"))[..., :classes]
    valid = ops.cast(valid, "bool")[..., None] & (scores > score_threshold)
    scores = ops.where(valid, scores, _NEVER)
    scores, entry = ops.top_k(
        ops.reshape(scores, (-1, scores.shape[1] * classes)),
        min(CANDIDATES, scores.shape[1] * classes),
    )
    entry = ops.cast(entry, "int32")
    labels = entry % classes
    boxes = decode(
        take_rows(ops.reshape(deltas, (-1, deltas.shape[1] * classes, 4)), entry),
        take_rows(proposals, entry // classes),
        BOX_WEIGHTS,
    )
    boxes = clip(boxes, image_size)
    scores = ops.where(area(boxes) > 0.0, scores, _NEVER)
    keep = non_max_suppression(boxes, scores, nms_threshold, groups=labels)
    scores, rows = ops.top_k(ops.where(keep, scores, _NEVER), min(count, scores.shape[1]))
    there = scores > _NEVER
    return (
        ops.where(there[..., None], take_rows(boxes, rows), 0.0),
        ops.where(there, scores, 0.0),
        ops.where(there, take_rows(labels, rows), -1),
    )


def masks_in_parts(
    predict_masks: Callable[[Tensor, Tensor], Tensor], boxes: Tensor, labels: Tensor, size: int
) -> Tensor:
    """The masks of the detections that there are, `PART` rows at a time.

    The mask head costs more than the backbone where it draws 100 masks, and most images show a few
    objects: the loop ends with the last one of the batch.

    Args:
        predict_masks: function of boxes (B, n, 4) and labels (B, n) that gives probabilities
            (B, n, size, size), float32.
        boxes: tensor (B, D, 4).
        labels: tensor (B, D), int, -1 behind the last detection.
        size: int, side of the masks.

    Returns:
        Tensor (B, D, size, size), float32; 0 where there is no detection.

    Example:

    >>> def ones(boxes, labels):
    ...     return keras.ops.ones((1, labels.shape[1], 2, 2))
    >>> masks = masks_in_parts(ones, np.zeros((1, 3, 4)), np.array([[5, 0, -1]]), 2)
    >>> np.array(masks).sum((2, 3)).tolist()
    [[4.0, 4.0, 0.0]]
    """
    count = labels.shape[1]
    part = min(PART, count)
    there = labels >= 0
    most = ops.max(ops.sum(ops.cast(there, "int32"), axis=1))
    places = ops.arange(count, dtype="int32")

    def more(first: Tensor, masks: Tensor) -> Tensor:
        return first < most

    def step(first: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        rows = ops.minimum(first + ops.arange(part, dtype="int32"), count - 1)
        predicted = predict_masks(ops.take(boxes, rows, axis=1), ops.take(labels, rows, axis=1))
        placed = ops.take(predicted, ops.clip(places - first, 0, part - 1), axis=1)
        new = (places >= first) & (places < first + part)
        return first + part, ops.where(new[None, :, None, None], placed, masks)

    masks = ops.zeros((ops.shape(labels)[0], count, size, size), "float32")
    _, masks = ops.while_loop(more, step, (ops.convert_to_tensor(0, "int32"), masks))
    return ops.where(there[..., None, None], masks, 0.0)


def _best_of_level(
    logits: Tensor, deltas: Tensor, anchors: Tensor, image_size: tuple[int, int], count: int
) -> tuple[Tensor, Tensor]:
    """Boxes (B, k, 4) and their logits (B, k), -inf for those that are out."""
    logits = ops.stop_gradient(ops.cast(logits, "float32"))
    scores, rows = ops.top_k(logits, min(count, logits.shape[1]))
    anchors = ops.take(ops.convert_to_tensor(anchors, "float32"), rows, axis=0)
    deltas = ops.stop_gradient(ops.convert_to_tensor(deltas))
    boxes = clip(decode(take_rows(deltas, rows), anchors), image_size)
    scores = ops.where(area(boxes) > 0.0, scores, _NEVER)
    keep = non_max_suppression(boxes, scores, PROPOSAL_OVERLAP)
    return boxes, ops.where(keep, scores, _NEVER)
