"""The zoo is channels last, whatever `keras.config.set_image_data_format` says."""

import json

import keras
import numpy as np
import pytest

import zoo
from tests.support import small_detector
from tests.support.helpers import array
from zoo.formats.keras_form import to_keras_layers
from zoo.models.deferred import build_without_values

pytestmark = pytest.mark.once

# One network per layer whose default is the setting.
NETS = [
    ("plainnet20", {"width": 4, "input_shape": (12, 10, 3)}),
    ("maxnorm_plainnet50", {"input_shape": (8, 8, 3)}),
    ("maxnorm_mlp3", {"units": 16, "input_shape": (5, 4, 1)}),
    ("seqnet18", {"stem": "imagenet", "width": 4, "input_shape": (33, 32, 3)}),
    ("resnet18", {"width": 4, "input_shape": (33, 32, 3)}),
    ("vgg19_bn", {"width": 2, "input_shape": (32, 32, 3)}),
    ("plain_mlp20", {"units": 16, "input_shape": (5, 4, 1)}),
]


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def settings(model):
    layers = list(model._flatten_layers())
    assert not any(getattr(v, "data_format", "channels_last") != "channels_last" for v in layers)
    return [tuple(v.shape) for v in model.weights]


@pytest.mark.parametrize(("name", "options"), NETS, ids=[name for name, _ in NETS])
def test_networks_and_their_plain_forms(name, options, channels_first):
    model = zoo.create(name, num_classes=3, **options)
    shapes = settings(model)
    plain = to_keras_layers(model)
    settings(plain)
    x = np.random.default_rng(0).normal(size=(2, *options["input_shape"])).astype("float32")
    np.testing.assert_allclose(array(plain(x)), array(model(x)), atol=1e-4)
    keras.config.set_image_data_format("channels_last")
    same = zoo.create(name, num_classes=3, **options)
    assert [tuple(v.shape) for v in same.weights] == shapes
    assert json.loads(same.to_json()) == json.loads(model.to_json())


def test_detectors(channels_first):
    body = zoo.create("plainnet20", features=True, input_shape=(64, 64, 3), width=4)
    settings(build_without_values(lambda: zoo.detection.MaskRCNN(body, **small_detector.TINY)))


def test_a_shipped_checkpoint(channels_first):
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    first = array(zoo.load("maxnorm_mlp100.usps")(x))
    keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(array(zoo.load("maxnorm_mlp100.usps")(x)), first)
