import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, compiled, fast, gradient
from zoo.detection.nms import non_max_suppression


def iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def greedy(boxes, scores, threshold, groups):
    """The loop of the textbook."""
    keep = np.zeros(len(scores), bool)
    for i in np.argsort(-scores, kind="stable"):
        rivals = [j for j in np.flatnonzero(keep) if groups[j] == groups[i]]
        keep[i] = scores[i] > -np.inf and all(iou(boxes[i], boxes[j]) <= threshold for j in rivals)
    return keep


def suppress(boxes, scores, threshold, groups=None):
    run = fast(lambda b, s: non_max_suppression(b, s, threshold, groups))
    return array(run(boxes, scores))


def grid_boxes(rng, *shape):
    """On a grid of whole pixels: many equal boxes, exact overlaps."""
    corner = rng.integers(0, 8, (*shape, 2))
    return np.concatenate([corner, corner + rng.integers(0, 6, (*shape, 2))], -1).astype("f4")


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("grouped", [False, True])
def test_equals_the_greedy_loop_on_batches_with_ties_and_padding(threshold, grouped):
    rng = np.random.default_rng(0)
    boxes = grid_boxes(rng, 6, 60)
    scores = (rng.integers(0, 8, (6, 60)) / 8).astype("f4")
    scores[rng.random((6, 60)) < 0.2] = -np.inf
    groups = rng.integers(0, 3, (6, 60)) if grouped else np.zeros((6, 60), int)
    keep = suppress(boxes, scores, threshold, groups if grouped else None)
    expected = [greedy(*x, threshold, g) for *x, g in zip(boxes, scores, groups, strict=True)]
    np.testing.assert_array_equal(keep.astype(bool), expected)
    # Both outcomes occur.
    assert 0.1 < np.sum(expected) / np.isfinite(scores).sum() < 0.99


def test_chain_in_which_each_box_decides_about_the_next():
    """As long as it can be: every second box survives, and the fixed point takes K steps."""
    left = 2.0 * np.arange(40)
    boxes = np.stack([left, 0 * left, left + 3.0, 0 * left + 1.0], axis=-1).astype("f4")
    falling = np.linspace(1, 0.1, 40).astype("f4")
    keep = suppress(boxes, falling, 0.19)
    np.testing.assert_array_equal(keep, np.arange(40) % 2 == 0)
    keep = suppress(boxes, falling[::-1].copy(), 0.19)
    np.testing.assert_array_equal(keep, np.arange(40) % 2 == 1)


def test_equal_scores_go_by_index_and_the_threshold_itself_is_allowed():
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 1]], "f4")
    same = np.ones(3, "f4")
    np.testing.assert_array_equal(suppress(boxes, same, 0.4), [1, 0, 0])
    np.testing.assert_array_equal(suppress(boxes, same, 0.5), [1, 0, 1])


def test_one_box_and_all_padding():
    box = np.array([[1, 1, 5, 5]], "f4")
    np.testing.assert_array_equal(suppress(box, np.zeros(1, "f4"), 0.5), [1])
    nothing = np.full((2, 4), -np.inf, "f4")
    boxes = np.tile(box, (2, 4, 1))
    np.testing.assert_array_equal(suppress(boxes, nothing, 0.5), np.zeros((2, 4)))


def test_empty_boxes_neither_suppress_nor_are_suppressed():
    boxes = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 9, 9]], "f4")
    keep = suppress(boxes, np.array([3, 2, 1], "f4"), 0.0)
    np.testing.assert_array_equal(keep, [1, 1, 1])


def test_compiled():
    rng = np.random.default_rng(1)
    boxes, scores = grid_boxes(rng, 2, 30), rng.random((2, 30)).astype("f4")
    groups = rng.integers(0, 2, (2, 30))
    run = compiled(lambda b, s, g: non_max_suppression(b, s, 0.4, g))
    expected = [greedy(*x, 0.4, g) for *x, g in zip(boxes, scores, groups, strict=True)]
    np.testing.assert_array_equal(array(run(boxes, scores, groups)).astype(bool), expected)


def test_a_loss_of_the_kept_scores_has_its_gradient_and_no_other():
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 7, 7]], "f4")

    def loss(scores):
        moved = ops.add(boxes, 0.0 * scores[:, None])
        keep = non_max_suppression(moved, scores, 0.5)
        return ops.sum(scores**2 * ops.cast(keep, "float32"))

    np.testing.assert_allclose(gradient(fast(loss), np.array([1, 2, 3], "f4")), [0, 4, 6])
