"""Proposals and detections by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, compiled
from zoo.detection.boxes import encode
from zoo.detection.losses import BOX_WEIGHTS
from zoo.detection.proposals import PART, detect, masks_in_parts, propose

SIZE = (100, 200)
A, NEAR_A, B, C = [0, 0, 20, 20], [0, 0, 20, 18], [50, 50, 60, 60], [100, 0, 140, 30]


def one_level(scores, boxes, per_level=10, total=10):
    """Anchors as given, which are not moved; boxes and flags of the one image."""
    boxes = np.array(boxes, "float32")
    found, valid = propose(
        [np.array([scores], "float32")],
        [np.zeros((1, *boxes.shape), "float32")],
        [boxes],
        SIZE,
        per_level=per_level,
        total=total,
    )
    return array(found)[0], array(valid)[0].astype(bool)


def test_overlaps_are_removed_and_the_best_come_first():
    boxes, valid = one_level([0.1, 0.5, 0.3, -4.0], [B, A, NEAR_A, C])
    assert valid.tolist() == [True, True, True, False]
    np.testing.assert_allclose(boxes[valid], [A, B, C])


def test_counts():
    boxes, valid = one_level([4, 3, 2, 1], [A, NEAR_A, B, C], per_level=3)
    np.testing.assert_allclose(boxes[valid], [A, B])
    boxes, valid = one_level([4, 3, 2, 1], [A, NEAR_A, B, C], total=2)
    assert valid.tolist() == [True, True]
    np.testing.assert_allclose(boxes, [A, B])


def test_boxes_are_moved_and_clipped_and_empty_ones_left_out():
    anchors = np.array([[-10, -10, 10, 10], [190, 90, 260, 130], [300, 0, 310, 10]], "float32")
    boxes, valid = one_level([3, 2, 1], anchors)
    np.testing.assert_allclose(boxes[valid], [[0, 0, 10, 10], [190, 90, 200, 100]])
    moved = np.array([C], "float32")
    boxes, _ = propose(
        [np.zeros((1, 1), "float32")],
        [array(encode(moved, anchors[:1]))[None].astype("float32")],
        [anchors[:1]],
        SIZE,
        per_level=1,
        total=1,
    )
    np.testing.assert_allclose(array(boxes)[0], moved, rtol=1e-5)


def test_levels_are_apart_but_ranked_together():
    fine, coarse = np.array([A, B], "float32"), np.array([NEAR_A, C], "float32")
    logits = np.array([[0.0, 3.0], [9.0, -9.0]], "float32"), np.array([[2.0, 1.0]] * 2, "float32")
    zero = np.zeros((2, 2, 4), "float32")
    boxes, valid = propose(logits, [zero, zero], [fine, coarse], SIZE, per_level=2, total=3)
    np.testing.assert_allclose(array(boxes), [[B, NEAR_A, C], [A, NEAR_A, C]])
    assert array(valid).all()


def decisions(probabilities, boxes, wanted=None, valid=None, **options):
    """What is detected, for probabilities (R, K + 1) and boxes (R, 4) that become `wanted`
    (R, K, 4), by default stay."""
    boxes = np.array(boxes, "float32")
    classes = len(probabilities[0]) - 1
    deltas = np.zeros((len(boxes), classes, 4), "float32")
    if wanted is not None:
        deltas = array(encode(np.array(wanted, "float32"), boxes[:, None], BOX_WEIGHTS))
    options = {"score_threshold": 0.05, "nms_threshold": 0.5, "count": 4} | options
    found = detect(
        np.log(np.array([probabilities], "float32")),
        deltas.reshape(1, len(boxes), -1).astype("float32"),
        boxes[None],
        np.ones((1, len(boxes)), bool) if valid is None else np.array([valid]),
        SIZE,
        **options,
    )
    return [array(x)[0] for x in found]


def test_classes_do_not_suppress_each_other():
    probabilities = [[0.5, 0.3, 0.2], [0.4, 0.2, 0.4], [0.04, 0.06, 0.9]]
    boxes, scores, labels = decisions(probabilities, [A, NEAR_A, C])
    np.testing.assert_allclose(scores, [0.5, 0.3, 0.06, 0], rtol=1e-5)
    assert labels.tolist() == [0, 1, 1, -1]
    np.testing.assert_allclose(boxes, [A, A, C, [0] * 4], atol=1e-5)


def test_every_class_has_a_box_of_its_own():
    boxes, _, labels = decisions([[0.5, 0.4, 0.1]], [A], [[B, C]], count=2)
    assert labels.tolist() == [0, 1]
    np.testing.assert_allclose(boxes, [B, C], rtol=1e-5)


def test_thresholds_and_count():
    probabilities = [[0.5, 0.3, 0.2], [0.4, 0.2, 0.4]]
    boxes = [A, NEAR_A]
    assert decisions(probabilities, boxes, score_threshold=0.35)[2].tolist() == [0, -1, -1, -1]
    _, scores, labels = decisions(probabilities, boxes, nms_threshold=0.95)
    assert labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(scores, [0.5, 0.4, 0.3, 0.2], rtol=1e-5)
    assert decisions(probabilities, boxes, count=1)[2].tolist() == [0]


@pytest.mark.parametrize("row", [0, 1])
def test_rows_that_are_no_proposals_are_not_detected(row):
    valid = [True, True]
    valid[row] = False
    boxes, _, labels = decisions([[0.9, 0.1], [0.8, 0.2]], [A, C], valid=valid, count=2)
    assert labels.tolist() == [0, -1]
    np.testing.assert_allclose(boxes[0], [C, A][row], atol=1e-5)


def test_boxes_outside_the_image_are_not_detected():
    _, _, labels = decisions([[0.9, 0.1]], [[250, 10, 260, 20]])
    assert labels.tolist() == [-1]


@pytest.mark.parametrize("counts", [(0, 0), (3, 1), (PART, 2), (PART + 1, 25), (25, 25)])
def test_masks_of_the_detections_there_are(counts):
    rng = np.random.default_rng(0)
    boxes = rng.random((2, 25, 4)).astype("float32")
    labels = np.full((2, 25), -1, "int32")
    for row, count in zip(labels, counts, strict=True):
        row[:count] = rng.integers(0, 5, count)
    calls = []

    def draw(boxes, labels):
        calls.append(boxes.shape[1])
        values = ops.sum(boxes, axis=-1) + ops.cast(labels, "float32")
        return ops.ones((1, 1, 3, 3)) * values[..., None, None]

    expected = np.where(labels >= 0, boxes.sum(-1) + labels, 0)[..., None, None] * np.ones((3, 3))
    found = array(
        masks_in_parts(draw, ops.convert_to_tensor(boxes), ops.convert_to_tensor(labels), 3)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    if keras.backend.backend() != "jax":  # which traces the loop once
        assert calls == [PART] * -(-max(counts) // PART)
    found = compiled(lambda boxes, labels: masks_in_parts(draw, boxes, labels, 3))(boxes, labels)
    np.testing.assert_allclose(array(found), expected, rtol=1e-6)
