"""Gradients and errors along the depth: hand-made nets, and the moments of modulation."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.support.helpers import array, weight_gradients
from zoo.errors import ZooError
from zoo.models.plainnet import plainnet
from zoo.signals.profile import error_moments, gradient_norms
from zoo.signals.theory.depth import moment_ratios, neighbour_ratios

X = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
ERROR = np.array([[1.0, -1.0], [2.0, 0.5]], "float32")


def scaled_net(*factors):
    """y = x times all factors, with the error ERROR on top."""
    model = keras.Sequential([keras.Input((2,))])
    for i, factor in enumerate(factors):
        model.add(layers.Dense(2, use_bias=False, name=f"layer{i}"))
        model.layers[-1].set_weights([factor * np.eye(2)])
    return model


def inner_product(error, y):
    """Whose gradient, by the mean over two examples, is `error`."""
    return 2 * ops.sum(error * y, axis=-1)


def test_moments_and_norms_of_scalings_are_exact():
    model = scaled_net(2.0, 3.0, 5.0)
    q = np.mean(ERROR**2)
    found = error_moments(model, X, ERROR, loss=inner_product)
    expected = {"layer0": 225 * q, "layer1": 25 * q, "layer2": q}
    assert found == pytest.approx(expected, rel=1e-5)
    inputs = error_moments(model, X, ERROR, at="input", loss=inner_product)
    assert inputs == pytest.approx({"layer0": 900 * q, "layer1": 225 * q, "layer2": 25 * q}, 1e-5)
    outer = np.linalg.norm(X.T @ ERROR)
    norms = gradient_norms(model, X, ERROR, loss=inner_product)
    assert norms == pytest.approx({f"layer{i}": 30 * outer / f for i, f in enumerate((2, 3, 5))})
    some = gradient_norms(model, X, ERROR, layers=["layer1"], loss=inner_product)
    assert some == pytest.approx({"layer1": 10 * outer})
    ratios = moment_ratios(found)
    assert ratios == pytest.approx({"layer0": 225, "layer1": 25, "layer2": 1}, rel=1e-5)
    assert neighbour_ratios(found) == pytest.approx({"layer0": 1 / 3, "layer1": 1 / 5}, rel=1e-5)


def test_the_moments_are_those_of_modulation():
    """Point l of modulation lies in front of layer l + 1, whose errors come as modulated above."""
    model = plainnet(8, input_shape=(4, 4, 3), num_classes=3, width=4, modulation=True)
    source = model.get_layer("modulation")
    source.steps_left.assign(5)
    source.band.assign(1.05)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4, 4, 3)).astype("float32")
    labels = rng.integers(0, 3, 6)
    loss = keras.losses.SparseCategoricalCrossentropy()
    gradients = weight_gradients(model, lambda: loss(labels, model(x, training=True)))
    arrived, handed = gradients["modulation/moments"].T
    assert not np.allclose(arrived, handed, rtol=1e-2)  # errors were rescaled
    source.steps_left.assign(5)
    convs = [v.name for v in model.layers if v.name.endswith("_conv")]
    q = error_moments(model, x, labels, at="input", layers=convs)
    np.testing.assert_allclose(list(q.values())[1:], arrived[:-1], rtol=1e-3)
    assert array(source.steps_left) == 5


def test_bad_input():
    with pytest.raises(ZooError, match=r"at must be 'input' or 'output'. Received: 'inside'"):
        error_moments(scaled_net(1.0), X, ERROR, at="inside")
