"""The losses against NumPy, by hand."""

import numpy as np

from tests.support.helpers import array, gradient
from zoo.detection.losses import box_losses, mask_loss, rpn_losses, select
from zoo.detection.targets import Rois

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def cross_entropy(logit, label):
    """Binary, of one number."""
    p = 1 / (1 + np.exp(-logit))
    return -np.log(p if label else 1 - p)


def rois(labels, valid, boxes=None, gt_boxes=None):
    labels = np.asarray(labels, "int32")
    some = np.tile(np.array([0, 0, 10, 20], "float32"), (*labels.shape, 1))
    return Rois(
        boxes=some if boxes is None else boxes,
        valid=np.asarray(valid, "bool"),
        labels=labels,
        matched=np.zeros_like(labels),
        gt_boxes=some if gt_boxes is None else gt_boxes,
    )


def test_rpn_by_hand():
    logits = np.array([[0.5, -1.0, 2.0, 9.0], [1.0, 1.0, 9.0, 9.0]], "float32")
    labels = np.array([[1, 0, 0, 1], [1, 0, 1, 1]], "float32")
    weights = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "float32")
    deltas, wanted = normal(2, 4, 4), normal(2, 4, 4)
    losses = rpn_losses(logits, deltas, labels, weights, wanted)
    first = np.mean([cross_entropy(0.5, 1), cross_entropy(-1.0, 0), cross_entropy(2.0, 0)])
    expected = (first + cross_entropy(1.0, 1)) / 2
    np.testing.assert_allclose(array(losses["rpn_score_loss"]), expected, rtol=1e-5)
    distance = np.abs(deltas - wanted).sum(-1)
    expected = (distance[0, 0] / 3 + distance[1, 0]) / 2
    np.testing.assert_allclose(array(losses["rpn_box_loss"]), expected, rtol=1e-5)


def test_box_by_hand():
    # Image 0: an object of class 1, background, a row that is none. Image 1: nothing.
    logits, deltas = normal(2, 3, 3), normal(2, 3, 8)
    boxes = np.tile(np.array([0, 0, 10, 20], "float32"), (2, 3, 1))
    gt_boxes = boxes.copy()
    gt_boxes[0, 0] = [5, 0, 15, 20]  # dx = 5 / 10, times 10
    sample = rois([[1, -1, -1], [-1] * 3], [[1, 1, 0], [0, 0, 0]], boxes, gt_boxes)
    losses = box_losses(logits, deltas, sample)
    log_p = logits[0] - np.log(np.exp(logits[0]).sum(-1, keepdims=True))
    expected = -(log_p[0, 1] + log_p[1, 2]) / 2 / 2  # class 2 of 2 is the background
    np.testing.assert_allclose(array(losses["class_loss"]), expected, rtol=1e-5)
    expected = np.abs(deltas[0, 0, 4:] - [5, 0, 0, 0]).sum() / 2 / 2
    np.testing.assert_allclose(array(losses["box_loss"]), expected, rtol=1e-5)


def test_mask_by_hand():
    logits = normal(3, 2, 2, 2)
    masks = (normal(3, 2, 2, 2) > 0).astype("float32")
    loss = mask_loss(logits, masks, np.array([[4, -1], [0, 2], [-1, -1]]))["mask_loss"]
    errors = np.vectorize(cross_entropy)(logits, masks).mean((2, 3))
    np.testing.assert_allclose(array(loss), (errors[0, 0] + errors[1].mean()) / 3, rtol=1e-5)


def test_an_image_without_samples_adds_nothing():
    zero = np.zeros((1, 5), "float32")
    nothing = [*rpn_losses(normal(1, 5), normal(1, 5, 4), zero, zero, normal(1, 5, 4)).values()]
    sample = rois([[-1] * 5], [[0] * 5])
    nothing += box_losses(normal(1, 5, 3), normal(1, 5, 8), sample).values()
    nothing += mask_loss(normal(1, 5, 2, 2), np.zeros((1, 5, 2, 2)), np.full((1, 5), -1)).values()
    assert [float(array(x)) for x in nothing] == [0] * 5


def test_the_loss_of_a_batch_is_the_mean_of_its_images():
    logits, deltas = normal(3, 5, 3), normal(3, 5, 8)
    sample = rois([[0, 1, -1, -1, -1], [-1] * 5, [1] * 5], RNG.random((3, 5)) < 0.7)
    whole = box_losses(logits, deltas, sample)
    single = [
        box_losses(logits[i : i + 1], deltas[i : i + 1], Rois(*(x[i : i + 1] for x in sample)))
        for i in range(3)
    ]
    for name, value in whole.items():
        mean = np.mean([array(s[name]) for s in single])
        np.testing.assert_allclose(array(value), mean, rtol=1e-5)


def test_boxes_of_other_classes_and_rows_have_no_gradient():
    sample = rois([[1, -1, 0]], [[1, 1, 1]])
    deltas = normal(1, 3, 8)
    g = gradient(lambda x: box_losses(normal(1, 3, 3), x, sample)["box_loss"], deltas)
    np.testing.assert_array_equal(
        (g != 0)[0], np.repeat([[False, True], [False, False], [True, False]], 4, axis=1)
    )


def test_losses_are_float32_of_half_precision():
    import keras

    half = keras.ops.cast(np.zeros((1, 1, 3)), "bfloat16")
    losses = box_losses(half, keras.ops.zeros((1, 1, 8), "bfloat16"), rois([[0]], [[1]]))
    assert {keras.backend.standardize_dtype(x.dtype) for x in losses.values()} == {"float32"}
    np.testing.assert_allclose(array(losses["class_loss"]), np.log(3), rtol=1e-6)


def test_select():
    values, labels = normal(2, 3, 4, 5), np.array([[3, -1, 0], [2, 1, 3]])
    expected = [[values[b, n, max(labels[b, n], 0)] for n in range(3)] for b in range(2)]
    np.testing.assert_array_equal(array(select(values, labels)), np.array(expected, "float64"))
