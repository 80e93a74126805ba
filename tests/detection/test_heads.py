"""The heads: shapes, names, how they start."""

import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.detection.head_factory import HeadFactory
from zoo.detection.heads import CLASS_LAYERS, box_head, mask_head, rpn_head

PARTS = {norm: HeadFactory(norm) for norm in ("none", "group")}


def paths(model):
    return {v.path for v in model.weights}


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def both(*layers):
    return {f"{layer}/{w}" for layer in layers for w in ("kernel", "bias")}


@pytest.mark.parametrize("norm", PARTS)
def test_rpn(norm):
    head = rpn_head(8, 3, PARTS[norm])
    assert paths(head) == both("rpn_conv", "rpn_logits", "rpn_deltas")
    logits, deltas = head(normal(2, 5, 7, 8))
    assert (logits.shape, deltas.shape) == ((2, 5, 7, 3), (2, 5, 7, 12))
    # One head for maps of every size, and equal places give equal scores.
    alike = array(head(np.ones((1, 9, 9, 8), "float32"))[0])[0, 1:-1, 1:-1]
    np.testing.assert_allclose(alike, np.broadcast_to(alike[0, 0], alike.shape), atol=1e-6)


@pytest.mark.parametrize("norm", PARTS)
def test_box(norm):
    head = box_head(8, 5, 16, PARTS[norm])
    convs = [f"box_conv{i}" for i in (1, 2, 3, 4)]
    if norm == "none":
        expected = both("box_fc1", "box_fc2", "box_logits", "box_deltas")
    else:
        expected = both("box_fc1", "box_logits", "box_deltas")
        expected |= {f"{c}/kernel" for c in convs}
        expected |= {f"{c}_norm/{w}" for c in convs for w in ("gamma", "beta")}
    assert paths(head) == expected
    logits, deltas = head(normal(3, 7, 7, 8))
    assert (logits.shape, deltas.shape) == ((3, 6), (3, 20))
    # No opinion at the start: all classes about as likely, boxes as proposed.
    assert np.abs(array(logits)).max() < 0.5
    assert np.abs(array(deltas)).max() < 0.05


@pytest.mark.parametrize("norm", PARTS)
def test_mask(norm):
    head = mask_head(8, 5, PARTS[norm])
    names = {path.partition("/")[0] for path in paths(head)}
    convs = {f"mask_conv{i}" for i in (1, 2, 3, 4)}
    norms = {f"{c}_norm" for c in convs} if norm == "group" else set()
    assert names == convs | norms | {"mask_up", "mask_logits"}
    assert head(normal(3, 14, 14, 8)).shape == (3, 5, 28, 28)


def test_mask_channels_are_the_classes():
    head = mask_head(4, 2, PARTS["none"])
    layer = head.get_layer("mask_logits")
    layer.bias.assign([0.0, 3.0])
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    logits = array(head(normal(1, 14, 14, 4)))
    assert (logits[0, 0] == 0).all()
    assert (logits[0, 1] == 3).all()


def test_class_layers_are_those_that_depend_on_the_classes():
    def shapes(classes):
        heads = box_head(4, classes, 8, PARTS["none"]), mask_head(4, classes, PARTS["none"])
        return {v.path: tuple(v.shape) for head in heads for v in head.weights}

    few, many = shapes(2), shapes(3)
    changed = {path.partition("/")[0] for path in few if few[path] != many[path]}
    assert changed == set(CLASS_LAYERS)


@pytest.mark.parametrize(("filters", "groups"), [(256, 32), (64, 32), (8, 8), (12, 4), (5, 1)])
def test_groups(filters, groups):
    x = keras.Input((4, 4, filters))
    model = keras.Model(x, PARTS["group"].conv_norm(x, filters, 1, "c"))
    assert model.get_layer("c_norm").groups == groups


def test_weight_decay_is_on_kernels_and_has_the_gradient_of_its_name():
    head = box_head(4, 2, 8, HeadFactory("group", weight_decay=0.2))
    kernels = [v for v in head.trainable_variables if v.path.endswith("kernel")]
    assert len(head.losses) == len(kernels) == 7
    squares = sum((array(v) ** 2).sum() for v in kernels)
    np.testing.assert_allclose(sum(array(x) for x in head.losses), 0.1 * squares, rtol=1e-5)


def test_precision():
    head = rpn_head(4, 3, HeadFactory(dtype=keras.DTypePolicy("mixed_bfloat16")))
    assert {v.dtype for v in head.weights} == {"float32"}
    assert keras.backend.standardize_dtype(head.outputs[0].dtype) == "bfloat16"
    assert head.inputs[0].dtype == "bfloat16"
