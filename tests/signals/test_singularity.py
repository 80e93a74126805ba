import math

import keras
import numpy as np
import pytest
from keras import layers

from zoo.errors import ZooError
from zoo.signals.singularity import unit_singularity

RNG = np.random.default_rng(0)


def net(kernel, bias=0.0):
    model = keras.Sequential([keras.Input((kernel.shape[0],))])
    model.add(layers.Dense(kernel.shape[1], name="dense"))
    model.add(layers.LeakyReLU(1.0, name="act"))  # the identity
    model.layers[0].set_weights([kernel, np.full(kernel.shape[1], bias)])
    return model


def test_a_rotation_is_not_singular_and_a_large_bias_nearly_is():
    rotation = np.linalg.qr(RNG.standard_normal((8, 8)))[0].astype("float32")
    x = RNG.standard_normal((500, 8)).astype("float32")
    well = unit_singularity(net(rotation), np.array_split(x, 3))["act"]
    s = np.linalg.svd(x, compute_uv=False)
    assert well.condition == pytest.approx(s[0] / s[-1], rel=1e-4)
    assert abs(well.examples) < 0.05
    assert abs(well.units) < 0.05
    alike = unit_singularity(net(rotation, bias=100.0), [x])["act"]
    assert alike.examples > 0.999  # every example gets the same answer
    assert alike.units > 0.999
    assert alike.condition > 50 * well.condition


def test_equal_units_are_singular():
    kernel = RNG.standard_normal((8, 1)).astype("float32") @ np.ones((1, 4), "float32")
    twins = unit_singularity(net(kernel), [RNG.standard_normal((50, 8))])["act"]
    assert twins.condition == math.inf
    assert twins.units == pytest.approx(1)


def test_channels_at_every_position_are_units():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.ReLU(name="act")])
    x = RNG.standard_normal((5, 4, 4, 3)).astype("float32")
    flat = np.maximum(x, 0).reshape(5, 48)
    s = np.linalg.svd(flat, compute_uv=False)
    assert unit_singularity(model, [x])["act"].condition == pytest.approx(s[0] / s[-1], rel=1e-4)


def test_bad_input():
    model = net(np.eye(2, dtype="float32"))
    with pytest.raises(ZooError, match="at least one batch"):
        unit_singularity(model, [])
    with pytest.raises(ZooError, match="two rows or more"):
        unit_singularity(model, [np.ones((1, 2))])
