import math

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, compiled, fast, gradient
from zoo.detection.roi_align import FORMS, pyramid_level, pyramid_roi_align, roi_align
from zoo.errors import ZooError

BOXES = np.array(
    [
        [4, 6, 30, 27],  # within
        [-30, -10, 25, 20],  # off the image on two sides
        [20, 10, 90, 60],  # and on the others
        [-60, -60, -20, -20],  # all off
        [200, 5, 240, 9],
        [13, 11, 13, 11],  # empty
        [3, 5, 3.5, 5.25],  # a part of a cell
        [0, 0, 44, 28],  # the whole
        [20, 20, 5, 8],  # inside out
        [-4, -4, 0, 0],  # points at the border itself
    ],
    "f4",
)


def reference(features, box, size, scale, sampling, aligned):
    """(weights (size, size, H, W), out (size, size, C)), point by point, as the paper has it."""
    height, width, _ = features.shape
    offset = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = np.float64(box) * scale - offset
    w, h = x2 - x1, y2 - y1
    if not aligned:
        w, h = max(w, 1.0), max(h, 1.0)
    weights = np.zeros((size, size, height, width))
    for i, j, k, m in np.ndindex(size, size, sampling, sampling):
        y = y1 + (i + (k + 0.5) / sampling) * h / size
        x = x1 + (j + (m + 0.5) / sampling) * w / size
        if not (-1 <= y <= height and -1 <= x <= width):
            continue
        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
        top, left = math.floor(y), math.floor(x)
        for row, part_y in ((top, 1 - (y - top)), (top + 1, y - top)):
            for column, part_x in ((left, 1 - (x - left)), (left + 1, x - left)):
                if part_y * part_x:
                    weights[i, j, row, column] += part_y * part_x / sampling**2
    return weights, np.einsum("ijhw,hwc->ijc", weights, features)


def expect(features, boxes, *arguments):
    return np.stack(
        [
            [reference(image, box, *arguments)[1] for box in rows]
            for image, rows in zip(features, boxes, strict=True)
        ]
    )


def maps(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("size", "sampling"), [(2, 1), (3, 2), (1, 3)])
def test_values_are_those_of_the_definition(form, aligned, size, sampling):
    features = maps(2, 7, 11, 3)
    boxes = np.stack([BOXES, BOXES[::-1] + 1])
    run = fast(lambda f, b: roi_align(f, b, size, 0.25, sampling, aligned, form))
    found = array(run(features, boxes))
    expected = expect(features, boxes, size, 0.25, sampling, aligned)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    # Those off the image.
    assert not found[0, 3:5].any()
    assert found[0, :3].any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("form", FORMS)
def test_gradient_is_the_transpose(form):
    """sum(g * align(f)) has the gradient that spreads g by the weights of the definition."""
    features, upstream = maps(1, 6, 9, 2), maps(1, len(BOXES), 2, 2, 2, seed=1)

    def loss(f):
        read = roi_align(f, BOXES[None], 2, 0.25, form=form)
        return ops.sum(ops.multiply(read, upstream))

    expected = sum(
        np.einsum("ijhw,ijc->hwc", reference(features[0], box, 2, 0.25, 2, True)[0], g)
        for box, g in zip(BOXES, upstream[0], strict=True)
    )
    np.testing.assert_allclose(gradient(fast(loss), features)[0], expected, atol=2e-6)


@pytest.mark.parametrize("form", FORMS)
def test_no_gradient_for_the_boxes(form):
    features = ops.convert_to_tensor(maps(1, 6, 9, 2))

    def loss(boxes):
        read = pyramid_roi_align([features], boxes, (4,), 2, form=form)
        return ops.sum(read**2) + ops.sum(boxes)

    np.testing.assert_array_equal(gradient(fast(loss), BOXES[None]), np.ones((1, len(BOXES), 4)))


@pytest.mark.parametrize("form", FORMS)
def test_a_linear_map_is_read_at_the_centres_of_the_bins(form):
    """In continuous coordinates, whatever the stride: what `aligned` is for."""
    stride, size = 8, 4
    x, y = (np.arange(16) + 0.5) * stride, (np.arange(12) + 0.5) * stride
    features = np.stack(np.meshgrid(x, y), axis=-1).astype("f4")[None]
    box = np.array([[[20, 16, 60, 80]]], "f4")
    run = fast(lambda f, b: roi_align(f, b, size, 1 / stride, form=form))
    found = array(run(features, box))[0, 0]
    across = 20 + (np.arange(size) + 0.5) * 40 / size
    down = 16 + (np.arange(size) + 0.5) * 64 / size
    np.testing.assert_allclose(found, np.stack(np.meshgrid(across, down), -1), rtol=1e-6)


def test_levels_by_hand():
    strides = (4, 8, 16, 32)
    sides = [0, 1, 111.9, 112, 223.9, 224, 447.9, 448, 5000]
    boxes = np.array([[10, 20, 10 + side, 20 + side] for side in sides], "f4")
    expected = [0, 0, 0, 1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(array(pyramid_level(boxes, strides)), expected)
    # The area counts, not the sides; an inverted box is empty.
    others = np.array([[0, 0, 448, 112], [0, 0, 448, 111], [500, 500, 0, 0]], "f4")
    np.testing.assert_array_equal(array(pyramid_level(others, strides)), [2, 1, 0])
    np.testing.assert_array_equal(array(pyramid_level(others, (8, 16))), [1, 0, 0])


@pytest.mark.parametrize("form", FORMS)
def test_each_box_is_read_from_its_level_only(form):
    strides = (4, 8, 16)
    pyramid = [maps(2, 64 // s, 96 // s, 2, seed=s) for s in strides]
    rows = [[3, 5, 50, 60], [1, 2, 90, 290], [-200, -200, 60, 60], [5, 5, 5, 5]]
    boxes = np.array([rows, rows[::-1]], "f4")
    level = array(pyramid_level(boxes, strides)).astype(int)
    np.testing.assert_array_equal(level, [[0, 1, 2, 0], [0, 2, 1, 0]])
    run = fast(lambda *x: pyramid_roi_align(x[1:], x[0], strides, 3, form=form))
    found = array(run(boxes, *pyramid))
    for b, r in np.ndindex(level.shape):
        of_level = pyramid[level[b, r]][b]
        expected = reference(of_level, boxes[b, r], 3, 1 / strides[level[b, r]], 2, True)[1]
        np.testing.assert_allclose(found[b, r], expected, atol=2e-6)


@pytest.mark.parametrize("form", FORMS)
def test_boxes_that_are_no_numbers_give_zeros(form):
    """A diverging net must not read memory that is not there."""
    boxes = np.full((1, 2, 4), np.nan, "f4")
    boxes[0, 1] = [1e30, -1e30, np.inf, np.inf]
    run = fast(lambda f, b: roi_align(f, b, 2, 0.25, form=form))
    found = array(run(maps(1, 4, 4, 1), boxes))
    np.testing.assert_array_equal(found, np.zeros((1, 2, 2, 2, 1)))


@pytest.mark.parametrize("form", FORMS)
def test_half_precision_keeps_the_geometry_exact(form):
    """At 1000 pixels bfloat16 counts in eights: the weights must not be made of such numbers."""
    features = ops.cast(maps(1, 32, 250, 2), "bfloat16")
    boxes = np.array([[[961, 21, 997, 58]]], "f4")
    found = fast(lambda f, b: roi_align(f, b, 3, 0.25, form=form))(features, boxes)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    expected = expect(array(features), boxes, 3, 0.25, 2, True)
    np.testing.assert_allclose(array(found), expected, atol=0.03)


@pytest.mark.parametrize("form", FORMS)
def test_compiled_and_in_a_model_of_any_batch_size(form):
    pyramid, boxes = [maps(3, 8, 6, 2), maps(3, 4, 3, 2)], maps(3, 5, 4) * 50

    class Read(keras.Layer):
        def call(self, inputs):
            return pyramid_roi_align(inputs[:2], inputs[2], (4, 8), 2, form=form)

    run = compiled(lambda *x: pyramid_roi_align(x[:2], x[2], (4, 8), 2, form=form))
    expected = array(run(*pyramid, boxes))
    inputs = [keras.Input(x.shape[1:]) for x in (*pyramid, boxes)]
    model = keras.Model(inputs, Read()(inputs))
    assert model.output_shape == (None, 5, 2, 2, 2)
    np.testing.assert_allclose(model.predict([*pyramid, boxes], verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at_once", [1, 4])
def test_in_parts_it_is_the_same(form, at_once):
    """Also where the last part is filled up, and the gradient."""
    pyramid, boxes = [maps(2, 8, 6, 2), maps(2, 4, 3, 2)], maps(2, 10, 4) * 50

    def read(first, parts):
        return pyramid_roi_align([first, pyramid[1]], boxes, (4, 8), 2, form=form, at_once=parts)

    expected = array(fast(lambda f: read(f, None))(pyramid[0]))
    assert np.ptp(expected) > 1
    run = compiled(lambda f: read(f, at_once))
    np.testing.assert_allclose(array(run(pyramid[0])), expected, atol=1e-6)
    whole, parts = (
        gradient(fast(lambda f, n=n: ops.sum(read(f, n) ** 2)), pyramid[0]) for n in (None, at_once)
    )
    np.testing.assert_allclose(parts, whole, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX tells what its programs need")
@pytest.mark.parametrize("learning", [False, True])
def test_parts_bound_the_memory(learning):
    """All bins of 256 boxes need 16 values of 32 channels each, 26 MB; those of 16 boxes 1.6 MB.
    Sums need the result alone, without a gradient."""
    import jax

    features, boxes = maps(1, 16, 16, 32), maps(1, 256, 4) * 50

    def needed(at_once, form="gather"):
        def read(f):
            return roi_align(f, boxes, 7, 0.25, at_once=at_once, form=form)

        run = jax.grad(lambda f: ops.sum(read(f) ** 2)) if learning else read
        return jax.jit(run).lower(features).compile().memory_analysis().temp_size_in_bytes

    whole, parts = needed(None), needed(16)
    assert whole > 20e6
    assert parts < whole / 3
    assert learning or needed(None, "sum") < whole / 10


def test_refusals():
    features, boxes = maps(1, 4, 4, 1), BOXES[None]
    with pytest.raises(ZooError, match=r"form must be one of gather, sum, matmul\..*'mean'"):
        roi_align(features, boxes, 2, 0.25, form="mean")
    with pytest.raises(ZooError, match=r"at least 1.*size=0"):
        roi_align(features, boxes, 0, 0.25)
    with pytest.raises(ZooError, match=r"at least 1.*sampling=0"):
        pyramid_roi_align([features], boxes, (4,), 7, sampling=0)
    with pytest.raises(ZooError, match=r"1 levels of features and strides=\(4, 8\)"):
        pyramid_roi_align([features], boxes, (4, 8), 7)
    with pytest.raises(ZooError, match=r"at_once must be at least 1, or None.*0"):
        roi_align(features, boxes, 2, 0.25, at_once=0)
