import math

import numpy as np
import pytest

from tests.support.helpers import array, compiled, fast
from zoo.detection import boxes as bx


def some_boxes(*shape, seed=0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 80, (*shape, 2))
    return np.concatenate([corner, corner + rng.uniform(0.5, 60, (*shape, 2))], -1).astype("f4")


def test_area_of_full_empty_and_inverted_boxes():
    boxes = [[1.0, 2.0, 4.0, 4.0], [3.0, 3.0, 3.0, 9.0], [5.0, 5.0, 2.0, 2.0]]
    np.testing.assert_array_equal(array(bx.area(boxes)), [6, 0, 0])


def test_overlaps_by_hand():
    a = np.array([[0, 0, 4, 4], [10, 10, 12, 12], [4, 0, 8, 4]], "f4")
    b = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [0, 0, 2, 2], [11, 11, 11, 11]], "f4")
    iou = [[1, 4 / 28, 4 / 16, 0], [0, 0, 0, 0], [0, 4 / 28, 0, 0]]
    ioa = [[1, 4 / 16, 4 / 16, 0], [0, 0, 0, 0], [0, 4 / 16, 0, 0]]
    np.testing.assert_allclose(array(bx.pairwise_iou(a, b)), iou, rtol=1e-6)
    np.testing.assert_allclose(array(bx.pairwise_ioa(a, b)), ioa, rtol=1e-6)


def test_overlaps_of_empty_boxes_are_zero():
    empty = np.array([[1, 1, 1, 1], [2, 2, 2, 5], [5, 5, 3, 3]], "f4")
    for overlap in (bx.pairwise_iou, bx.pairwise_ioa):
        np.testing.assert_array_equal(array(overlap(empty, empty)), np.zeros((3, 3)))


def test_overlaps_of_batches_and_of_one_set_with_a_batch():
    a, b = some_boxes(2, 3), some_boxes(2, 5, seed=1)
    run = fast(bx.pairwise_iou)
    batch, one = array(run(a, b)), array(run(a[:1], b))
    assert batch.shape == one.shape == (2, 3, 5)
    np.testing.assert_allclose(batch[1], array(run(a[1], b[1])), rtol=1e-6)
    np.testing.assert_allclose(one[1], array(run(a[0], b[1])), rtol=1e-6)
    np.testing.assert_array_equal(batch, array(run(b, a)).swapaxes(1, 2))


def test_deltas_by_hand():
    anchor = [[10.0, 20.0, 14.0, 28.0]]
    box = [[12.0, 16.0, 20.0, 24.0]]
    # centres (12, 24) and (16, 20), sizes (4, 8) and (8, 8)
    delta = np.array([[4 / 4, -4 / 8, math.log(2), 0]])
    np.testing.assert_allclose(array(bx.encode(box, anchor)), delta, rtol=1e-6)
    weights = (10, 10, 5, 5)
    np.testing.assert_allclose(array(bx.encode(box, anchor, weights)), delta * weights, rtol=1e-6)


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (10, 10, 5, 5)])
def test_decode_is_the_inverse(weights):
    boxes, anchors = some_boxes(2, 50), some_boxes(50, seed=1)
    deltas = bx.encode(boxes, anchors, weights)
    np.testing.assert_allclose(array(bx.decode(deltas, anchors, weights)), boxes, atol=2e-4)


def test_empty_boxes_and_anchors_give_finite_deltas():
    empty = np.array([[3, 3, 3, 3], [0, 0, 0, 5], [5, 5, 2, 2]], "f4")
    full = np.array([[0, 0, 8, 8]] * 3, "f4")
    for box, anchor in ((empty, full), (full, empty), (empty, empty)):
        deltas = array(bx.encode(box, anchor))
        assert np.isfinite(deltas).all()
        assert np.isfinite(array(bx.decode(deltas, anchor))).all()


def test_huge_deltas_end_at_the_limit():
    anchor = np.array([[0, 0, 16, 16]], "f4")
    grown = array(bx.decode([[0.0, 0.0, 1e9, 1e9]], anchor))
    np.testing.assert_allclose(grown[0, 2:] - grown[0, :2], [1000, 1000], rtol=1e-5)
    # The weights are taken off before.
    weighted = array(bx.decode([[0.0, 0.0, 5.0, 5.0]], anchor, (10, 10, 5, 5)))
    np.testing.assert_allclose(weighted[0, 2:] - weighted[0, :2], [16 * math.e] * 2, rtol=1e-5)
    shrunk = array(bx.decode([[0.0, 0.0, -1e9, -1e9]], anchor))
    np.testing.assert_array_equal(shrunk, [[8, 8, 8, 8]])
    far = array(bx.clip(bx.decode([[1e30, -1e30, 0.0, 0.0]], anchor), (32, 64)))
    np.testing.assert_array_equal(far, [[64, 0, 64, 0]])


def test_clip_knows_height_from_width():
    boxes = [[-5.0, -5.0, 90.0, 90.0], [70.0, 40.0, 80.0, 50.0], [1.0, 2.0, 3.0, 4.0]]
    expected = [[0, 0, 60, 30], [60, 30, 60, 30], [1, 2, 3, 4]]
    np.testing.assert_array_equal(array(bx.clip(boxes, (30, 60))), expected)


def test_rows_by_index():
    x = np.arange(24).reshape(2, 3, 4)
    index = np.array([[2, 0, 0, 1], [1, 1, 2, 0]])
    expected = np.stack([x[b][index[b]] for b in range(2)])
    np.testing.assert_array_equal(array(bx.take_rows(x, index)), expected)
    np.testing.assert_array_equal(array(bx.take_rows(x[..., 0], index)), expected[..., 0])


def test_compiled():
    def run(a, b):
        return bx.pairwise_iou(a, b), bx.decode(bx.encode(a, b), b), bx.clip(a, (30, 60))

    a, b = some_boxes(6), some_boxes(6, seed=1)
    for found, expected in zip(compiled(run)(a, b), run(a, b), strict=True):
        np.testing.assert_allclose(array(found), array(expected), rtol=1e-5, atol=1e-5)
