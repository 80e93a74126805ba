"""The losses of Mask R-CNN, in float32. All are means over the images of a batch.

Within an image, scores are averaged over the sample, the coordinates of boxes are summed, over
the positive ones, and divided by the size of the same sample (as "Fast R-CNN" does, so that
the two terms are balanced whatever the share of positives), and masks are averaged over the
positive regions. An image without any sample, or without positive ones, adds 0.
"""

from keras import ops

from zoo.detection.boxes import encode, take_rows

# Of the deltas (dx, dy, dw, dh) of the second stage, which are small: the published programs' way
# to bring them to unit variance.
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def rpn_losses(logits, deltas, labels, weights, wanted):
    """Of the region proposal network.

    Objectness: binary cross-entropy over the anchors of the sample. Boxes: L1 over its positives.

    Args:
        logits: (B, A).
        deltas: (B, A, 4).
        labels, weights, wanted: (B, A), (B, A), (B, A, 4), see `zoo.detection.targets`.

    Returns:
        Dict of the scalars "rpn_score_loss" and "rpn_box_loss".

    Source:
        Ren et al., "Faster R-CNN", equation 1, with L1 in place of the smooth L1.
    """
    labels, weights = ops.cast(labels, "float32"), ops.cast(weights, "float32")
    size = ops.sum(weights, axis=1)
    errors = ops.binary_crossentropy(labels, ops.cast(logits, "float32"), from_logits=True)
    distances = _distance(deltas, wanted) * labels
    return {
        "rpn_score_loss": _mean(ops.sum(errors * weights, axis=1), size),
        "rpn_box_loss": _mean(ops.sum(distances * weights, axis=1), size),
    }


def box_losses(logits, deltas, rois):
    """Of the box head.

    Classes: cross-entropy over the sample, background as class K. Boxes: L1 of the deltas of the
    object's class over the positive regions.

    Args:
        logits: (B, S, K + 1).
        deltas: (B, S, 4 * K).
        rois: `zoo.detection.targets.Rois`.

    Returns:
        Dict of the scalars "class_loss" and "box_loss".

    Source:
        Girshick, "Fast R-CNN", equations 1 and 2, with L1 in place of the smooth L1.
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


def mask_loss(logits, masks, labels):
    """Of the mask head: binary cross-entropy over the positive regions.

    Args:
        logits: (B, F, m, m), of the object's class.
        masks: (B, F, m, m) of 0 and 1.
        labels: (B, F); -1 for regions that do not count.

    Returns:
        Dict of the scalar "mask_loss".

    Source:
        He et al., "Mask R-CNN", section 3.
    """
    positive = ops.cast(labels >= 0, "float32")
    masks, logits = ops.cast(masks, "float32"), ops.cast(logits, "float32")
    errors = ops.binary_crossentropy(masks, logits, from_logits=True)
    errors = ops.mean(errors, axis=(2, 3))
    return {"mask_loss": _mean(ops.sum(errors * positive, axis=1), ops.sum(positive, axis=1))}


def select(values, labels):
    """Of each row (B, N, K, …) the entry of its class (B, N); that of class 0 for -1."""
    _, rows, classes, *rest = values.shape
    index = ops.arange(rows, dtype="int32") * classes + ops.maximum(ops.cast(labels, "int32"), 0)
    return take_rows(ops.reshape(values, (-1, rows * classes, *rest)), index)


def _distance(deltas, wanted):
    return ops.sum(ops.abs(ops.cast(deltas, "float32") - ops.cast(wanted, "float32")), axis=-1)


def _mean(sums, counts):
    """Mean over the images of the means within them."""
    return ops.mean(sums / ops.maximum(counts, 1.0))
