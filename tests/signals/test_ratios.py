"""Scaling ratios of known blocks: exact where there is a formula, else within sampling error."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.ratios import block_ratios, measured_ratios
from zoo.signals.theory.ratios import linear_ratios, pair_ratios

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 64))


def test_a_factor_scales_both_by_its_square():
    found = measured_ratios(lambda x: -3 * x + 7, X)
    np.testing.assert_allclose(found, (9, 9), rtol=1e-5)


def test_exactly_those_of_numpy():
    kernel = RNG.standard_normal((6, 3)).astype("float32")
    dense = layers.Dense(3)
    dense.build((None, 6))
    dense.set_weights([kernel, np.ones(3)])
    x, error = RNG.standard_normal((5, 6)), RNG.standard_normal((5, 3))
    y, below = x @ kernel, error @ kernel.T
    expected = (
        y.var(axis=0).mean() / x.var(axis=0).mean(),
        below.var(axis=0).mean() / error.var(axis=0).mean(),
    )
    np.testing.assert_allclose(measured_ratios(dense, x, error), expected, rtol=1e-5)


def test_linear_layers_follow_proposition_3_4():
    dense = layers.Dense(32, kernel_initializer="he_normal")
    found = measured_ratios(dense, X)
    np.testing.assert_allclose(found, linear_ratios(dense.kernel), rtol=0.05)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
def test_activations_follow_the_quadrature(activation):
    found = measured_ratios(layers.Activation(activation), X)
    np.testing.assert_allclose(found, activation_ratios(activation), rtol=0.03)


def test_batch_normalization_follows_proposition_3_8():
    norm = layers.BatchNormalization(epsilon=0)
    norm.build((None, 64))
    before = [array(v) for v in norm.variables]
    few = X[:20] * 4
    found = measured_ratios(norm, few)
    deviation = few.var(axis=0)
    assert found.forward == pytest.approx(1 / deviation.mean(), rel=1e-4)
    # 1/sigma^2 (1 - z/B), the mean of z 1; each feature has its own sigma.
    assert found.backward == pytest.approx((1 / deviation).mean() * (1 - 1 / 20), rel=0.05)
    for a, b in zip(before, norm.variables, strict=True):
        np.testing.assert_array_equal(a, array(b))
    moving = measured_ratios(norm, few, training=False)
    np.testing.assert_allclose(moving, (1, 1), rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_pairs_follow_proposition_4_1(tied):
    pair = zoo.layers.SeqDensePair(expansion=4, tied=True, norm=False, seed=0)
    if not tied:
        other = keras.initializers.RandomNormal(stddev=(2 / 256) ** 0.5, seed=2)
        first = keras.initializers.RandomNormal(stddev=(2 / 256) ** 0.5, seed=1)
        pair = keras.Sequential(
            [
                keras.Input((64,)),
                layers.Dense(256, activation="relu", use_bias=False, kernel_initializer=first),
                layers.Dense(64, use_bias=False, kernel_initializer=other),
            ]
        )
    np.testing.assert_allclose(measured_ratios(pair, X), pair_ratios(4, tied), rtol=0.08)


def test_residual_blocks_follow_proposition_3_17():
    branch = keras.Sequential(
        [keras.Input((64,)), layers.Dense(64, kernel_initializer="lecun_normal")]
    )
    inner = measured_ratios(branch, X)
    whole = measured_ratios(lambda x: x + ops.multiply(0.5, branch(x)), X)
    np.testing.assert_allclose(whole, (1 + inner.forward / 4, 1 + inner.backward / 4), rtol=0.05)


def test_blocks_within_a_model():
    inner = keras.Sequential(
        [keras.Input((64,)), layers.Dense(32, name="dense"), layers.ReLU(name="relu")], name="block"
    )
    x = inputs = keras.Input((64,))
    model = keras.Model(inputs, layers.Dense(3, name="head")(inner(x)))
    wanted = ["block", "dense", "relu", "head"]
    labels = RNG.integers(0, 3, len(X))
    found = block_ratios(model, X.astype("float32"), labels, wanted)
    assert set(found) == {"block", "block/dense", "relu", "head"}
    for side in ("forward", "backward"):
        parts = getattr(found["block/dense"], side) * getattr(found["relu"], side)
        assert getattr(found["block"], side) == pytest.approx(parts, rel=1e-4)
    alone = measured_ratios(inner.get_layer("dense"), X)
    assert found["block/dense"].forward == pytest.approx(alone.forward, rel=1e-4)
    everything = block_ratios(model, X.astype("float32"), labels)
    assert list(everything) == ["block/dense", "head"]


def test_what_does_not_vary_has_no_ratio():
    found = measured_ratios(lambda x: 2 * x, np.ones((4, 3)))
    assert np.isnan(found.forward)
    assert found.backward == pytest.approx(4)


def test_the_error_is_independent_of_numbers_drawn_by_the_same_seed():
    x = np.random.default_rng(7).standard_normal((2000, 4))
    found = measured_ratios(layers.ReLU(), x, seed=7)
    np.testing.assert_allclose(found, activation_ratios("relu"), rtol=0.1)


def test_bad_input():
    relu = layers.ReLU()
    with pytest.raises(ZooError, match=r"x needs at least two examples. Received: shape=\(1, 3\)"):
        measured_ratios(relu, np.ones((1, 3)))
    with pytest.raises(ZooError, match="x must be finite"):
        measured_ratios(relu, np.array([[1.0], [np.nan]]))
    with pytest.raises(ZooError, match=r"shape of the output, \(4, 3\). Received: \(4, 2\)"):
        measured_ratios(relu, np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ZooError, match=r"must give one tensor. Received: a tuple"):
        measured_ratios(lambda x: (x, x), np.ones((4, 3)))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ZooError, match="at least two examples"):
        block_ratios(model, np.ones((1, 3), "float32"), np.zeros(1, int))
