"""Rates against the published values and closed forms, and against what a net shows."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from zoo.errors import UnknownNameError, ZooError
from zoo.signals import Probe, Tap, gradient_norm
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.theory.depth import growth_per_layer


@pytest.mark.parametrize(("name", "published"), [("selu", 1.072), ("tanh", 1.178), ("relu", 1.467)])
def test_published_rates(name, published):
    assert activation_ratios(name).rate == pytest.approx(published, abs=1e-3)


def phi(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def cdf(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


CLOSED = {
    "linear": (1, 1),
    "relu": ((1 - 1 / math.pi) / 2, 1 / 2),
    # exp: Var = e^2 - e, and the derivative is the function itself.
    "exponential": (math.e**2 - math.e, math.e**2),
    # x on [-1, 1], -1 or 1 outside.
    "hard_tanh": (1 - 2 * phi(1), 2 * cdf(1) - 1),
    # x / 6 on [-3, 3], -1/2 or 1/2 outside, apart from a constant.
    "hard_sigmoid": (
        (2 * cdf(3) - 1 - 6 * phi(3)) / 36 + (1 - cdf(3)) / 2,
        (2 * cdf(3) - 1) / 36,
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    forward, backward = CLOSED[name]
    found = activation_ratios(name)
    assert found.forward == pytest.approx(forward, rel=2e-6)
    assert found.backward == pytest.approx(backward, rel=2e-6)
    assert found.growth == pytest.approx(math.sqrt(backward / forward), rel=2e-6)


def test_functions_layers_and_scales():
    slope = 0.3
    leaky = layers.LeakyReLU(slope)
    backward = (1 + slope**2) / 2
    forward = backward - (1 - slope) ** 2 / (2 * math.pi)
    np.testing.assert_allclose(activation_ratios(leaky), (forward, backward), rtol=1e-5)
    shifted = activation_ratios(lambda x: 5 * ops.tanh(x) - 2)
    tanh = activation_ratios("tanh")
    np.testing.assert_allclose(shifted, (25 * tanh.forward, 25 * tanh.backward), rtol=1e-5)
    # Not linear, so above 1 (proposition 3.12).
    assert all(activation_ratios(a).rate > 1 for a in ("gelu", "silu", "softplus", "mish"))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_functions_without_a_rate():
    with pytest.raises(UnknownNameError, match=r"Unknown activation: 'rely'. Did you mean 'relu'"):
        activation_ratios("rely")
    for constant in ("softmax", lambda x: x * 0 + 3):
        with pytest.raises(ZooError, match="has no rate: its variance"):
            activation_ratios(constant)
    with pytest.raises(ZooError, match="has no rate"):
        activation_ratios(ops.log)
    with pytest.raises(ZooError, match="is not elementwise: 3072 values became 6144"):
        activation_ratios(zoo.layers.CReLU())


def test_gradient_norms_of_a_net_grow_as_predicted():
    """sqrt(pi / (pi - 1)) per layer, within 3 %, of BN-ReLU layers at their start."""
    width, depth = 128, 16
    net = keras.Sequential([keras.Input((width,))])
    for i in range(depth):
        start = keras.initializers.RandomNormal(stddev=(2 / width) ** 0.5, seed=i)
        net.add(layers.Dense(width, use_bias=False, kernel_initializer=start, name=f"dense{i}"))
        net.add(layers.BatchNormalization())
        net.add(layers.ReLU())
    rng = np.random.default_rng(0)
    x, error = rng.standard_normal((2, 256, width)).astype("float32")
    probe = Probe(
        net,
        {"norm": Tap("weight_gradient", gradient_norm)},
        loss=lambda error, y: ops.sum(error * y, axis=-1),
    )
    growth = growth_per_layer(probe(x, error)["norm"])
    assert growth == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), rel=0.03)
    assert growth == pytest.approx(activation_ratios("relu").growth, rel=0.03)
