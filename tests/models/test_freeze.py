import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.models.freeze import freeze


def small(num_classes=3):
    return zoo.create("plainnet20", input_shape=(8, 8, 3), width=2, num_classes=num_classes)


def fit(model):
    """Paths of the variables that training changed, to the last bit."""
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    before = {v.path: array(v) for v in model.weights}
    x = np.random.default_rng(0).normal(3, 2, size=(16, 8, 8, 3)).astype("float32")
    model.fit(x, np.arange(16) % 3, batch_size=8, epochs=2, verbose=0)
    return {v.path for v in model.weights if (array(v) != before[v.path]).any()}


def test_body():
    assert fit(freeze(small(), "body")) == {"head_dense/kernel", "head_dense/bias"}


def test_body_of_a_detector_is_its_backbone():
    model = zoo.create("mask_rcnn_plainnet20", input_shape=(64, 64, 3), width=2, fpn_filters=4)
    behind = {v.path for v in model.trainable_weights} - {v.path for v in model.backbone.weights}
    freeze(model, "body")
    assert behind
    assert {v.path for v in model.trainable_weights} == behind


def test_batch_norm():
    model = freeze(small(), "batch_norm")
    changed = fit(model)
    norms = {v.path for v in model.weights if "_norm/" in v.path}
    assert len(norms) == 4 * 19
    assert changed == {v.path for v in model.weights} - norms


def test_nothing():
    model = freeze(small(), None)
    assert fit(model) == {v.path for v in model.weights}


def test_frozen_batch_norm_inside_another_model():
    body = freeze(small(), "batch_norm")
    inputs = keras.Input((8, 8, 3))
    before = {v.path: array(v) for v in body.weights}
    fit(keras.Model(inputs, body(inputs)))
    for v in body.weights:
        assert (array(v) == before[v.path]).all() == ("_norm/" in v.path)


@pytest.mark.parametrize("what", ["bodies", True, 3])
def test_unknown(what):
    model = small()
    with pytest.raises(ZooError, match="freeze must be one of 'body', 'batch_norm', None"):
        freeze(model, what)
    assert model.trainable_weights
