"""Signals of one pass: values against NumPy, on every kind of Keras model, which stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.signals import Probe, Tap, gradient_norm, identity, mean_square

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4)).astype("float32")
Y = RNG.standard_normal((5, 2)).astype("float32")
W1 = RNG.standard_normal((4, 3)).astype("float32")
W2 = RNG.standard_normal((3, 2)).astype("float32")
EVERYTHING = {
    "input": Tap("input", identity),
    "output": Tap("output", mean_square),
    "input_gradient": Tap("input_gradient", identity),
    "output_gradient": Tap("output_gradient", mean_square),
    "weight": Tap("weight_gradient", gradient_norm),
    "weight_raw": Tap("weight_gradient", lambda kernel, gradient: gradient),
}


def expected():
    """Of the net X W1 W2 under the mean squared error, layer by layer."""
    hidden, out = X @ W1, X @ W1 @ W2
    error = 2 * (out - Y) / out.size
    below = error @ W2.T
    gradients = [X.T @ below, hidden.T @ error]
    return {
        "input": [X, hidden],
        "output": [np.mean(hidden**2), np.mean(out**2)],
        "input_gradient": [below @ W1.T, below],
        "output_gradient": [np.mean(below**2), np.mean(error**2)],
        "weight": [np.linalg.norm(g) for g in gradients],
        "weight_raw": gradients,
    }


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(3, use_bias=False)
        self.second = layers.Dense(2, use_bias=False)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((None, 3))

    def call(self, x):
        return self.second(inputs=self.first(x))


def linear_net(kind):
    dense = [layers.Dense(n, use_bias=False) for n in (3, 2)]
    if kind == "sequential":
        model = keras.Sequential([keras.Input((4,)), *dense])
    elif kind == "subclassed":
        model = Subclassed()
        model.build((None, 4))
    else:
        x = inputs = keras.Input((4,))
        if kind == "nested":
            x = keras.Sequential([keras.Input((4,)), dense[0]], name="inner")(x)
        else:
            x = dense[0](x)
        model = keras.Model(inputs, dense[1](x))
    model.set_weights([W1, W2])
    return model


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed", "nested"])
def test_signals_are_those_of_numpy_on_every_kind_of_model(kind):
    signals = Probe(linear_net(kind), EVERYTHING, loss="mse")(X, Y)
    assert list(signals) == list(EVERYTHING)
    for name, values in expected().items():
        assert len(signals[name]) == 2, name
        for found, value in zip(signals[name].values(), values, strict=True):
            np.testing.assert_allclose(found, value, rtol=2e-5, atol=1e-7, err_msg=name)


def test_other_batch_sizes_other_weights_and_numbers_of_one_probe():
    model = linear_net("functional")
    probe = Probe(model, EVERYTHING, loss="mse")
    whole = probe(X, Y)
    parts = [probe(X[i:j], Y[i:j]) for i, j in ((0, 1), (1, 3), (3, 5))]
    # A gradient of a mean over the batch is the mean of those of its parts, by their sizes.
    for name in whole["weight_raw"]:
        mean = sum(n / 5 * p["weight_raw"][name] for n, p in zip((1, 2, 2), parts, strict=True))
        np.testing.assert_allclose(mean, whole["weight_raw"][name], rtol=1e-4, atol=1e-6)
    model.set_weights([2 * W1, W2])
    first = next(iter(whole["output"]))
    assert probe(X, Y)["output"][first] == pytest.approx(4 * whole["output"][first], rel=1e-5)


def test_the_compiled_loss_and_cross_entropy_are_the_defaults():
    model = linear_net("sequential")
    taps = {"weight": Tap("weight_gradient", gradient_norm)}
    labels = np.array([0, 1, 1, 0, 1])
    logits = X @ W1 @ W2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(2)[labels]
    norms = list(Probe(model, taps)(X, labels)["weight"].values())
    np.testing.assert_allclose(norms[1], np.linalg.norm((X @ W1).T @ p / 5), rtol=1e-5)
    model.compile(loss="mse")
    norms = list(Probe(model, taps)(X, Y)["weight"].values())
    np.testing.assert_allclose(norms, expected()["weight"], rtol=1e-5)
    softmax = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="softmax")])
    probe = Probe(softmax, {"error": Tap("input_gradient", identity)})
    p = array(softmax(X)) - np.eye(2)[labels]
    kernel = array(softmax.layers[0].kernel)
    found = next(iter(probe(X, labels)["error"].values()))
    np.testing.assert_allclose(found, p @ kernel.T / 5, rtol=1e-4, atol=1e-6)


def state(model):
    return [array(v) for v in [*model.variables, *model.optimizer.variables]]


def test_nothing_of_the_model_changes():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=1),
            layers.Dense(2, kernel_regularizer="l2", kernel_constraint="max_norm"),
        ]
    )
    model.compile("adam", "mse")
    model.train_on_batch(X, Y)
    before, config = state(model), model.get_config()
    calls = [vars(layer).get("call") for layer in model.layers]
    probe = Probe(model, EVERYTHING)
    first, again = probe(X, Y), probe(X, Y)
    for a, b in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert calls == [vars(layer).get("call") for layer in model.layers]
    assert model.get_config() == config
    # The random state is not drawn from either: both passes drop the same units.
    for name in first["input_gradient"]:
        np.testing.assert_array_equal(first["input_gradient"][name], again["input_gradient"][name])
    model.train_on_batch(X, Y)


def test_statistics_of_the_batch_or_the_moving_ones():
    model = keras.Sequential(
        [keras.Input((4,)), layers.BatchNormalization(), layers.Dense(2, name="head")]
    )
    x = 5 + 3 * X
    taps = {"x": Tap("input", mean_square)}
    assert Probe(model, taps)(x)["x"]["head"] == pytest.approx(1, rel=1e-2)
    moving = Probe(model, taps, training=False)(x)["x"]["head"]
    assert moving == pytest.approx(np.mean(x**2), rel=1e-2)


def test_frozen_layers_have_errors_but_no_weight_gradients():
    model = linear_net("functional")
    model.layers[1].trainable = False
    signals = Probe(model, EVERYTHING, loss="mse")(X, Y)
    found = list(signals["input_gradient"].values())
    np.testing.assert_allclose(found[0], expected()["input_gradient"][0], rtol=1e-4, atol=1e-6)
    assert list(signals["weight"]) == [model.layers[2].path]
    assert signals["weight"][model.layers[2].path] == pytest.approx(expected()["weight"][1], 1e-5)
    model.trainable = False
    without = {name: tap for name, tap in EVERYTHING.items() if not name.startswith("weight")}
    assert len(Probe(model, without, loss="mse")(X, Y)["input_gradient"]) == 2
    with pytest.raises(ZooError, match="no trainable kernel in the layers looked at"):
        Probe(model, EVERYTHING, loss="mse")


def test_signals_without_weights_to_learn():
    model = keras.Sequential([keras.Input((4,)), layers.ReLU(name="relu"), layers.Softmax()])
    taps = {"x": Tap("output", mean_square)}
    signals = Probe(model, taps, layers=["relu"])(X)
    assert signals["x"]["relu"] == pytest.approx(np.mean(np.maximum(X, 0) ** 2), rel=1e-5)
    with pytest.raises(ZooError, match="has no layer with a kernel: name the layers"):
        Probe(model, taps)
    error = Probe(model, {"q": Tap("input_gradient", identity)}, layers=["relu"], loss="mse")
    assert (error(X, np.zeros_like(X))["q"]["relu"][X < 0] == 0).all()


def test_outputs_are_those_behind_the_fused_activation():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3, activation="relu", name="conv")]
    )
    x = RNG.standard_normal((2, 4, 4, 1)).astype("float32")
    taps = {"y": Tap("output", identity), "error": Tap("output_gradient", identity)}
    signals = Probe(model, taps, loss="mse")(x, np.zeros((2, 2, 2, 2), "float32"))
    y = array(model(x))
    assert (y == 0).any()
    np.testing.assert_allclose(signals["y"]["conv"], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(signals["error"]["conv"], 2 * y / y.size, rtol=1e-4, atol=1e-7)


def test_half_precision():
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = keras.Sequential(
        [keras.Input((4,))] + [layers.Dense(n, use_bias=False, dtype=policy) for n in (3, 2)]
    )
    model.set_weights([W1, W2])
    signals = Probe(model, EVERYTHING, loss="mse")(X, Y)
    for name, values in expected().items():
        for found, value in zip(signals[name].values(), values, strict=True):
            assert found.dtype == "float32"
            np.testing.assert_allclose(found, value, atol=0.03 * np.abs(value).max())
