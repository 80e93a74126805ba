"""The losses of Mask R-CNN, in float32. All are means over the images of a batch.

Within an image, scores are averaged over the sample, the coordinates of boxes are summed, over
the positive ones, and divided by the size of the same sample (as "Fast R-CNN" does, so that
the two terms are balanced whatever the share of positives), and masks are averaged over the
positive regions. An image without any sample, or without positive ones, adds 0.
"""

from typing import TYPE_CHECKING

from keras import ops

from zoo.detection.boxes import encode, take_rows
from zoo.types import Tensor

if TYPE_CHECKING:
    from zoo.detection.targets import Rois

# Of the deltas (dx, dy, dw, dh) of the second stage, which are small: the published programs' way
# to bring them to unit variance.
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def rpn_losses(
    logits: Tensor, deltas: Tensor, labels: Tensor, weights: Tensor, wanted: Tensor
) -> dict[str, Tensor]:
    """Of the region proposal network.

    Objectness: binary cross-entropy over the anchors of the sample. Boxes: L1 over its positives.

    Args:
        logits: tensor (B, A).
        deltas: tensor (B, A, 4).
        labels, weights, wanted: tensors (B, A), (B, A), (B, A, 4) of
            `zoo.detection.targets.anchor_targets`.

    Returns:
        Dict of the scalars "rpn_score_loss" and "rpn_box_loss".

    References:
        - Ren et al., "Faster R-CNN", equation 1, with L1 in place of the smooth L1.

    Example:

    >>> ones = np.ones((1, 2))
    >>> losses = rpn_losses(0 * ones, np.ones((1, 2, 4)), ones, ones, np.zeros((1, 2, 4)))
    >>> {name: round(float(loss), 3) for name, loss in losses.items()}
    {'rpn_score_loss': 0.693, 'rpn_box_loss': 4.0}
    """
    labels, weights = ops.cast(labels, "float32"), ops.cast(weights, "float32")
    size = ops.sum(weights, axis=1)
    errors = ops.binary_crossentropy(labels, ops.cast(logits, "float32"), from_logits=True)
    distances = _distance(deltas, wanted) * labels
    return {
        "rpn_score_loss": _mean(ops.sum(errors * weights, axis=1), size),
        "rpn_box_loss": _mean(ops.sum(distances * weights, axis=1), size),
    }


def box_losses(logits: Tensor, deltas: Tensor, rois: "Rois") -> dict[str, Tensor]:
    """Of the box head.

    Classes: cross-entropy over the sample, background as class K. Boxes: L1 of the deltas of the
    object's class over the positive regions.

    Args:
        logits: tensor (B, S, K + 1).
        deltas: tensor (B, S, 4 * K).
        rois: `zoo.detection.targets.Rois`.

    Returns:
        Dict of the scalars "class_loss" and "box_loss".

    References:
        - Girshick, "Fast R-CNN", equations 1 and 2, with L1 in place of the smooth L1.

    Example:

    >>> from zoo.detection.targets import Rois
    >>> box = np.array([[[0.0, 0.0, 8.0, 8.0]]])
    >>> rois = Rois(box, np.array([[True]]), np.array([[0]]), np.array([[0]]), box)
    >>> losses = box_losses(np.zeros((1, 1, 2)), np.zeros((1, 1, 4)), rois)
    >>> {name: round(float(loss), 3) for name, loss in losses.items()}
    {'class_loss': 0.693, 'box_loss': 0.0}
    """
    logits = ops.cast(logits, "float32")
    classes = logits.shape[-1] - 1
    valid = ops.cast(rois.valid, "float32")
    positive = ops.cast(rois.labels >= 0, "float32")
    labels = ops.where(rois.labels >= 0, rois.labels, classes)
    errors = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    own = select(ops.reshape(deltas, (-1, deltas.shape[1], classes, 4)), rois.labels)
    wanted = encode(rois.gt_boxes, rois.boxes, BOX_WEIGHTS)
    size = ops.sum(valid, axis=1)
    return {
        "class_loss": _mean(ops.sum(errors * valid, axis=1), size),
        "box_loss": _mean(ops.sum(_distance(own, wanted) * positive, axis=1), size),
    }


def mask_loss(logits: Tensor, masks: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Of the mask head: binary cross-entropy over the positive regions.

    Args:
        logits: tensor (B, F, m, m), of the object's class.
        masks: tensor (B, F, m, m) of 0 and 1.
        labels: tensor (B, F), int; -1 for regions that do not count.

    Returns:
        Dict of the scalar "mask_loss".

    References:
        - He et al., "Mask R-CNN", section 3.

    Example:

    >>> loss = mask_loss(np.zeros((1, 2, 4, 4)), np.ones((1, 2, 4, 4)), np.array([[3, -1]]))
    >>> round(float(loss["mask_loss"]), 3)
    0.693
    """
    positive = ops.cast(labels >= 0, "float32")
    masks, logits = ops.cast(masks, "float32"), ops.cast(logits, "float32")
    errors = ops.binary_crossentropy(masks, logits, from_logits=True)
    errors = ops.mean(errors, axis=(2, 3))
    return {"mask_loss": _mean(ops.sum(errors * positive, axis=1), ops.sum(positive, axis=1))}


def select(values: Tensor, labels: Tensor) -> Tensor:
    """Of each row the entry of its class.

    Args:
        values: tensor (B, N, K, …).
        labels: tensor (B, N), int; -1 is taken as 0.

    Returns:
        Tensor (B, N, …).

    Example:

    >>> np.array(select(np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[1, -1]]))).tolist()
    [[2.0, 3.0]]
    """
    _, rows, classes, *rest = values.shape
    index = ops.arange(rows, dtype="int32") * classes + ops.maximum(ops.cast(labels, "int32"), 0)
    return take_rows(ops.reshape(values, (-1, rows * classes, *rest)), index)


def _distance(deltas: Tensor, wanted: Tensor) -> Tensor:
    return ops.sum(ops.abs(ops.cast(deltas, "float32") - ops.cast(wanted, "float32")), axis=-1)


def _mean(sums: Tensor, counts: Tensor) -> Tensor:
    """Mean over the images of the means within them."""
    return ops.mean(sums / ops.maximum(counts, 1.0))
