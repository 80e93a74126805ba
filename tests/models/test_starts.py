"""Where weights start, in the papers' programs."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.layers import LayerFactory
from zoo.layers.layer_factory import INITIAL_SCALE

pytestmark = pytest.mark.once

SMALL = {"input_shape": (8, 8, 3), "width": 16}


def head(**options):
    layer = zoo.create("resnet20", num_classes=100, **SMALL, **options).get_layer("head_dense")
    return array(layer.kernel), array(layer.bias)


def test_classifier_as_pytorch_has_it():
    """U(-1 / sqrt(64), 1 / sqrt(64)), half the deviation of Glorot's for few classes."""
    for values in head(head_initializer="fan_in_uniform"):
        assert 0.11 < np.abs(values).max() <= 1 / 8
        assert values.std() == pytest.approx(1 / 8 / np.sqrt(3), rel=0.25)
    kernel, bias = head()
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / 164), rel=0.01)  # Glorot
    assert not bias.any()


def test_last_gamma_as_huang_et_al_have_it():
    model = zoo.create("resnet20_lastbn", head_gamma="uniform", **SMALL)
    gamma = array(model.get_layer("head_norm").gamma)
    assert 0 <= gamma.min() < 0.2
    assert 0.8 < gamma.max() <= 1
    with pytest.raises(zoo.errors.ZooError, match="head_gamma is of a last_bn"):
        zoo.create("resnet20", head_gamma="uniform", **SMALL)


@pytest.mark.parametrize(
    ("initializer", "deviation"), [("he_normal_fan_in", 2.0), ("fan_in_uniform", 1 / 3)]
)
def test_fan_in(initializer, deviation):
    net = zoo.create("mlp4_24", input_shape=(400,), num_classes=10, initializer=initializer)
    for layer, fan_in in (("hidden1_dense", 400), ("head_dense", 24)):
        kernel = array(net.get_layer(layer).kernel)
        assert kernel.std() == pytest.approx(np.sqrt(deviation / fan_in), rel=0.2)


def test_normprop_gamma():
    def gammas(**options):
        net = zoo.create("normprop_resnet20", norm="normprop2", **SMALL, **options)
        return {float(g) for v in net.variables if v.path.endswith("conv1/gamma") for g in array(v)}

    assert gammas() == {np.float32(INITIAL_SCALE)}
    assert gammas(initial_scale=0.5) == {0.5}
    with pytest.raises(zoo.errors.ZooError, match="initial_scale is where"):
        LayerFactory(norm="batchnorm", initial_scale=0.5)


def test_first_loss_of_the_plain_net():
    """Huang et al.'s figure A5 d: about 3 from He's start, that of guessing from the random one."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((256, 28, 28, 1)) < 0.2, 1, -1).astype("float32")

    def loss(initializer):
        keras.utils.set_random_seed(0)
        options = {"input_shape": (28, 28, 1), "norm": "none", "initializer": initializer}
        probabilities = array(zoo.create("mlp20_256", **options)(x))
        return -np.log(probabilities[np.arange(256), rng.integers(0, 10, 256)]).mean()

    assert 2.3 < loss("he_normal_fan_in") < 4
    assert loss("fan_in_uniform") == pytest.approx(np.log(10), abs=0.02)
