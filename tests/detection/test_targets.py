import functools

import keras
import numpy as np
from keras import ops
from keras.random import SeedGenerator

from tests.support.helpers import array, compiled, fast, gradient
from zoo.detection.boxes import encode, take_rows
from zoo.detection.targets import Rois, anchor_targets, crop_masks, sample_rois


def targets_of(*images, slots=None):
    """Of each image rows (box, label) or (box, label, crowd), in slots that may stay empty."""
    slots = slots or max(1, *map(len, images))
    boxes = np.zeros((len(images), slots, 4), "f4")
    labels = np.full((len(images), slots), -1, "i4")
    crowd = np.zeros((len(images), slots), "u1")
    for i, rows in enumerate(images):
        for j, (box, label, *is_crowd) in enumerate(rows):
            boxes[i, j], labels[i, j], crowd[i, j] = box, label, bool(is_crowd)
    return {"boxes": boxes, "labels": labels, "crowd": crowd}


def grid(rows, columns, side=10.0):
    """Boxes that tile the plane."""
    y, x = np.indices((rows, columns)).reshape(2, -1) * side
    return np.stack([x, y, x + side, y + side], axis=-1).astype("f4")


@functools.cache
def anchors_with(samples, seed):
    return fast(lambda anchors, targets: anchor_targets(anchors, targets, samples, seed))


def run_anchors(anchors, targets, samples=256, seed=0):
    return tuple(map(array, anchors_with(samples, seed)(np.asarray(anchors, "f4"), targets)))


@functools.cache
def rois_with(samples, seed, positive):
    return fast(lambda boxes, *rest: sample_rois(boxes, *rest, samples, positive, seed))


def run_rois(proposals, targets, samples, valid=None, seed=0, positive=0.25):
    proposals = np.asarray(proposals, "f4")
    valid = np.ones(proposals.shape[:2], bool) if valid is None else valid
    return Rois(*map(array, rois_with(samples, seed, positive)(proposals, valid, targets)))


def run_crop(masks, matched, boxes, gt_boxes, size):
    run = fast(lambda *x: crop_masks(*x, size))
    return array(run(masks, np.array(matched), np.array(boxes, "f4"), np.array(gt_boxes, "f4")))


class TestAnchors:
    def test_thresholds(self):
        """Equal, IoU 0.8 and 0.7: positive; 0.6, 0.3: neither; 0.2 and 0: negative."""
        heights = [10, 8, 7, 6, 3, 2]
        anchors = [[0, 0, 10, h] for h in heights] + [[50, 50, 60, 60]]
        labels, weights, deltas = run_anchors(anchors, targets_of([([0, 0, 10, 10], 7)]))
        np.testing.assert_array_equal(labels, [[1, 1, 1, 0, 0, 0, 0]])
        np.testing.assert_array_equal(weights, [[1, 1, 1, 0, 0, 1, 1]])
        expected = encode([[0.0, 0.0, 10.0, 10.0]], np.array(anchors, "f4"))
        np.testing.assert_allclose(deltas[0], array(expected), rtol=1e-6)
        np.testing.assert_array_equal(deltas[0, 0], np.zeros(4))

    def test_all_best_anchors_of_an_object_are_positive_however_bad(self):
        anchors = [[5, 10, 15, 20], [15, 10, 25, 20], [16, 10, 26, 20], [40, 40, 50, 50]]
        labels, weights, _ = run_anchors(anchors, targets_of([([10, 10, 20, 20], 0)]))
        np.testing.assert_array_equal(labels, [[1, 1, 0, 0]])
        np.testing.assert_array_equal(weights, [[1, 1, 1, 1]])

    def test_an_object_of_one_pixel(self):
        anchors = grid(4, 4)
        labels, weights, deltas = run_anchors(anchors, targets_of([([14, 25, 15, 26], 0)]))
        np.testing.assert_array_equal(np.flatnonzero(labels), [9])
        assert weights.sum() == 16
        np.testing.assert_allclose(deltas[0, 9], [-0.05, 0.05, np.log(0.1), np.log(0.1)], rtol=1e-5)

    def test_an_object_that_no_anchor_touches_has_none(self):
        labels, weights, _ = run_anchors(grid(2, 2), targets_of([([90, 90, 95, 95], 0)]))
        assert labels.sum() == 0
        assert weights.sum() == 4

    def test_deltas_lead_to_the_object_overlapped_most_the_first_of_equals(self):
        anchor, less, more, equal = [0, 0, 10, 10], [0, 0, 10, 7.5], [0, 1, 10, 10], [0, 0, 10, 9]
        images = ((less, more), (more, less), (more, equal))
        targets = targets_of(*([(box, 0) for box in rows] for rows in images))
        _, _, deltas = run_anchors([anchor], targets)
        np.testing.assert_allclose(deltas[:, 0], array(encode([more] * 3, [anchor])), atol=1e-6)

    def test_no_object_empty_slots_and_objects_without_area(self):
        """Empty slots hold boxes that would match, were they read."""
        targets = targets_of([], [([0, 0, 10, 10], -1)], [([3, 3, 3, 8], 5)], slots=2)
        labels, weights, deltas = run_anchors(grid(5, 5), targets, samples=20)
        assert labels.sum() == 0
        np.testing.assert_array_equal(weights.sum(axis=1), [20, 20, 20])
        assert np.isfinite(deltas).all()

    def test_a_crowd_is_neither_object_nor_background(self):
        """One equal to three anchors and half of a fourth; one around an object."""
        around = [([0, 0, 60, 10], 2, "crowd"), ([10, 0, 20, 10], 2)]
        targets = targets_of([([0, 0, 35, 10], 2, "crowd")], around)
        labels, weights, _ = run_anchors(grid(1, 6), targets)
        np.testing.assert_array_equal(labels, [[0] * 6, [0, 1, 0, 0, 0, 0]])
        np.testing.assert_array_equal(weights, [[0, 0, 0, 1, 1, 1], [0, 1, 0, 0, 0, 0]])

    def test_sizes_of_the_sample(self):
        """Half of it positive, or as many as there are; or as many negatives as there are."""
        boxes = grid(400, 1)
        targets = targets_of(*([(box, 0) for box in boxes[:n]] for n in (3, 390, 0, 300)))
        labels, weights, _ = run_anchors(boxes, targets, 64)
        np.testing.assert_array_equal((labels * weights).sum(axis=1), [3, 32, 0, 32])
        np.testing.assert_array_equal(((1 - labels) * weights).sum(axis=1), [61, 10, 64, 32])
        np.testing.assert_array_equal(labels[3], np.arange(400) < 300)
        assert set(weights.flat) == {0.0, 1.0}

    def test_the_draw_is_random_and_determined_by_the_seed(self):
        boxes = grid(6, 6)
        targets = targets_of([(box, 0) for box in boxes[:18]])
        many = {key: np.repeat(x, 60, axis=0) for key, x in targets.items()}
        draws, again, others = (run_anchors(boxes, many, 12, seed)[1] for seed in (5, 5, 6))
        np.testing.assert_array_equal(again, draws)
        assert (draws != others).any()
        # Each has a chance of a third; 60 draws lie within 4 standard deviations.
        np.testing.assert_allclose(draws.mean(axis=0), 1 / 3, atol=4 * np.sqrt(2 / 9 / 60))


class TestRois:
    def test_labels_matches_and_order(self):
        """IoU 0.9, 0.5, 0.4 and 0 with the first object; the objects' own boxes join."""
        objects = [([0, 0, 10, 10], 4), ([30, 30, 40, 40], 9)]
        proposals = [[[60, 60, 70, 70], [0, 0, 10, 4], [0, 0, 10, 5], [0, 0, 10, 9]]]
        rois = run_rois(proposals, targets_of(objects, slots=3), samples=16)
        np.testing.assert_array_equal(rois.valid[0], [1] * 6 + [0] * 10)
        assert (rois.labels[0, 4:] == -1).all()
        rows = zip(rois.boxes[0], rois.labels[0], rois.matched[0], rois.gt_boxes[0], strict=True)
        found = {tuple(box): (label, slot, tuple(gt)) for box, label, slot, gt in list(rows)[:4]}
        first, second = (4, 0, (0, 0, 10, 10)), (9, 1, (30, 30, 40, 40))
        assert found == {
            (0, 0, 10, 10): first,
            (0, 0, 10, 9): first,
            (0, 0, 10, 5): first,
            (30, 30, 40, 40): second,
        }
        assert {tuple(box) for box in rois.boxes[0, 4:6]} == {(60, 60, 70, 70), (0, 0, 10, 4)}

    def test_sizes_of_the_sample_with_the_positives_first(self):
        """The objects' own boxes, on the left, are the positive candidates."""
        objects, background = (50, 3, 50, 0, 5), (100, 100, 10, 40, 0)
        targets = targets_of(*([(box, 1) for box in grid(n, 1)] for n in objects))
        proposals = np.stack([grid(100, 1) + np.array([50, 0, 50, 0], "f4")] * 5)
        valid = np.arange(100) < np.array(background)[:, None]
        rois = run_rois(proposals, targets, samples=32, valid=valid)
        for i, (n, m) in enumerate([(8, 24), (3, 29), (8, 10), (0, 32), (5, 0)]):
            np.testing.assert_array_equal(rois.labels[i], np.where(np.arange(32) < n, 1, -1))
            np.testing.assert_array_equal(rois.valid[i], np.arange(32) < n + m)
            boxes = rois.boxes[i, : n + m]
            np.testing.assert_array_equal(boxes[:, 0] < 50, np.arange(n + m) < n)
            # Drawn without putting back.
            assert len({tuple(box) for box in boxes}) == n + m
            np.testing.assert_array_equal(rois.gt_boxes[i, :n], boxes[:n])

    def test_what_is_not_valid_is_never_drawn(self):
        """Invalid proposals, empty slots, crowds and objects without area."""
        rows = [([0, 0, 10, 10], -1), ([20, 0, 30, 10], 1, "crowd"), ([50, 0, 50, 10], 2)]
        proposals = np.stack([grid(1, 8)] * 2)
        valid = np.arange(8) % 2 == np.array([[0], [1]])
        rois = run_rois(proposals, targets_of(rows, []), samples=16, valid=valid)
        assert (rois.labels == -1).all()
        drawn = [set(boxes[ok > 0][:, 0]) for boxes, ok in zip(rois.boxes, rois.valid, strict=True)]
        # The one at 20 is in the crowd.
        assert drawn == [{0, 40, 60}, {10, 30, 50, 70}]

    def test_a_crowd_takes_what_lies_in_it_by_more_than_a_half(self):
        rows = [([0, 0, 35, 10], 3, "crowd"), ([10, 0, 20, 10], 4)]
        rois = run_rois(grid(1, 6)[None], targets_of(rows), samples=12)
        np.testing.assert_array_equal(rois.labels[0], [4, 4] + [-1] * 10)
        assert set(rois.boxes[0, 2:5, 0]) == {30, 40, 50}
        np.testing.assert_array_equal(rois.valid[0], np.arange(12) < 5)

    def test_more_objects_than_the_sample(self):
        objects = grid(20, 15)
        targets = targets_of([(box, i) for i, box in enumerate(objects)])
        rois = run_rois(grid(20, 15)[None], targets, samples=64, positive=0.5)
        np.testing.assert_array_equal(rois.valid[0], np.arange(64) < 32)
        np.testing.assert_array_equal(rois.labels[0, :32], rois.matched[0, :32])
        np.testing.assert_array_equal(rois.boxes[0, :32], objects[rois.matched[0, :32].astype(int)])

    def test_the_first_of_equal_objects(self):
        same = [0, 0, 10, 10]
        rois = run_rois([[same]], targets_of([(same, 6), (same, 5)]), samples=4, positive=1.0)
        np.testing.assert_array_equal(rois.labels, [[6, 6, 6, -1]])

    def test_the_draw_is_random_and_determined_by_the_seed(self):
        targets = targets_of([(box, i) for i, box in enumerate(grid(1, 12))])
        many = {key: np.repeat(x, 60, axis=0) for key, x in targets.items()}
        proposals = np.stack([grid(1, 24)[12:]] * 60)
        rois, again, others = (
            run_rois(proposals, many, 8, seed=seed, positive=0.5) for seed in (5, 5, 6)
        )
        for a, b in zip(again, rois, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (rois.boxes != others.boxes).any()
        columns = (rois.boxes[..., 0] / 10).astype(int)
        share = np.bincount(columns.ravel(), minlength=24) / 60
        np.testing.assert_allclose(share, 1 / 3, atol=4 * np.sqrt(2 / 9 / 60))

    def test_gradients_are_stopped(self):
        targets = targets_of([([0, 0, 10, 10], 1)])

        def loss(proposals):
            rois = sample_rois(proposals, np.ones((1, 4), bool), targets, 8, seed=1)
            return ops.sum(rois.boxes**2) + ops.sum(proposals)

        np.testing.assert_array_equal(gradient(fast(loss), grid(2, 2)[None]), np.ones((1, 4, 4)))


class TestMasks:
    def test_the_own_frame_gives_the_mask_back(self):
        masks = np.random.default_rng(0).integers(0, 2, (2, 3, 14, 14)).astype("u1")
        matched = np.array([[2, 0], [1, 1]])
        boxes = np.array([[[5, 7, 40, 90], [0, 0, 14, 14]], [[1, 2, 3, 4]] * 2], "f4")
        found = run_crop(masks, matched, boxes, boxes, 14)
        np.testing.assert_array_equal(found, [masks[i][matched[i]] for i in range(2)])

    def test_another_frame_shifts_and_scales(self):
        """A roi of twice the cells, shifted by whole ones: majority of 2 x 2, zeros outside."""
        mask = np.random.default_rng(0).integers(0, 2, (8, 8))
        gt_box, roi = [20, 40, 28, 56], [16, 40, 28, 72]
        # 12 x 16 cells of the mask; those to the left and below are outside the object's box.
        wide = np.pad(mask, [(0, 8), (4, 0)])
        found = run_crop(mask[None, None], [[0]], [[roi]], [[gt_box]], 4)[0, 0]
        expected = wide.reshape(4, 4, 4, 3).mean(axis=(1, 3))
        clear = np.abs(expected - 0.5) > 0.2
        assert clear.sum() > 8
        np.testing.assert_array_equal(found[clear], (expected >= 0.5)[clear])

    def test_a_disc_stays_a_disc(self):
        """Against geometry: coverage of each cell by the disc in the picture."""

        def disc(box, size):
            u = (np.arange(size * 8) + 0.5) / (size * 8)
            x, y = box[0] + u * (box[2] - box[0]), box[1] + u * (box[3] - box[1])
            inside = (x[None] - 60) ** 2 + (y[:, None] - 50) ** 2 <= 30**2
            return inside.reshape(size, 8, size, 8).mean(axis=(1, 3))

        gt_box = [30, 20, 90, 80]
        mask = disc(gt_box, 112) >= 0.5
        rois = [[35, 10, 80, 90], [50, 40, 70, 60], [20, 5, 100, 85]]
        found = run_crop(mask[None, None], [[0, 0, 0]], [rois], [[gt_box] * 3], 28)
        for cells, roi in zip(found[0], rois, strict=True):
            expected = disc(roi, 28)
            sure = np.abs(expected - 0.5) > 0.2
            np.testing.assert_array_equal(cells[sure], expected[sure] > 0.5)

    def test_empty_boxes_give_zeros_and_ones_only(self):
        empty = np.array([[[5, 5, 5, 5], [9, 9, 3, 3]]], "f4")
        full = np.array([[[0, 0, 8, 8]] * 2], "f4")
        masks = np.ones((1, 1, 6, 6), "u1")
        for boxes, gt_boxes in ((empty, full), (full, empty), (empty, empty)):
            found = run_crop(masks, [[0, 0]], boxes, gt_boxes, 4)
            assert set(found.flat) <= {0.0, 1.0}


class Sample(keras.Layer):
    """All three functions, with room for every candidate: nothing depends on the draw but order."""

    def __init__(self, seed):
        super().__init__(autocast=False)
        self.seed = seed

    def call(self, x):
        labels, weights, deltas = anchor_targets(grid(5, 5), x, 64, self.seed)
        valid = ops.ones_like(x["proposals"][..., 0], "bool")
        rois = sample_rois(x["proposals"], valid, x, 20, seed=self.seed)
        boxes = ops.where(rois.valid[..., None], rois.boxes, 0.0)
        order = ops.argsort(boxes[..., 0])
        sampled = [take_rows(v, order) for v in (boxes, rois.valid, rois.labels)]
        first = ops.zeros_like(rois.matched[:, :1])
        masks = crop_masks(x["masks"], first, x["proposals"][:, :1], x["boxes"][:, :1], 4)
        return labels, weights, deltas, *sampled, masks


def test_compiled_and_in_a_model_of_any_batch_size():
    """An unknown batch size and the state of the seed go through the trainers' graphs."""
    rng = np.random.default_rng(0)
    corner = rng.permutation(np.arange(24)).reshape(3, 8, 1) + 0.5
    proposals = np.concatenate([corner, corner, corner + 9, corner + 11], -1).astype("f4")
    inputs = targets_of([([1, 1, 11, 10], 3)], [([22, 2, 33, 40], 1)], [], slots=2)
    inputs |= {"proposals": proposals, "masks": rng.integers(0, 2, (3, 2, 8, 8)).astype("u1")}
    expected = [array(x) for x in compiled(Sample(1).call)(inputs)]
    assert expected[0].any()
    assert expected[-1].any()

    symbolic = {k: keras.Input(v.shape[1:], name=k, dtype=v.dtype.name) for k, v in inputs.items()}
    model = keras.Model(symbolic, Sample(SeedGenerator(1))(symbolic))
    for found, value in zip(model.predict(inputs, verbose=0), expected, strict=True):
        np.testing.assert_allclose(found, value, atol=1e-5)
