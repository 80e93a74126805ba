"""Where signals are read: layers used again, within others, of integers, with several kernels."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.layers import ResidualStage
from zoo.layers.repeat import LOOP_FROM
from zoo.signals import Probe, Tap, gradient_norm, identity, map_kernels, mean_square

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4)).astype("float32")
TAPS = {
    "input": Tap("input", identity),
    "input_gradient": Tap("input_gradient", identity),
    "weight": Tap("weight_gradient", gradient_norm),
    "weight_raw": Tap("weight_gradient", lambda kernel, gradient: gradient),
}


def test_a_layer_used_again_is_another_place_but_one_kernel():
    dense = layers.Dense(4, use_bias=False, name="twice")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, dense(dense(inputs)))
    w = RNG.standard_normal((4, 4)).astype("float32")
    model.set_weights([w])
    y = np.zeros((5, 4), "float32")
    signals = Probe(model, TAPS, loss="mse")(X, y)
    assert list(signals["input"]) == list(signals["input_gradient"]) == ["twice", "twice#2"]
    assert list(signals["weight"]) == ["twice"]
    error = 2 * (X @ w @ w) / 20
    np.testing.assert_allclose(signals["input"]["twice#2"], X @ w, rtol=1e-5)
    np.testing.assert_allclose(signals["input_gradient"]["twice"], error @ w.T @ w.T, rtol=1e-4)
    gradient = X.T @ (error @ w.T) + (X @ w).T @ error
    np.testing.assert_allclose(signals["weight_raw"]["twice"], gradient, rtol=1e-4, atol=1e-5)


def test_integers_have_no_gradient_but_embeddings_do():
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            layers.Embedding(7, 4, name="words"),
            layers.Flatten(),
            layers.Dense(2, name="head"),
        ]
    )
    words = np.array([[1, 2, 2], [3, 4, 5]], "int32")
    taps = {"error": Tap("input_gradient", mean_square), "x": Tap("input", identity)}
    taps["weight"] = Tap("weight_gradient", lambda kernel, gradient: ops.sum(abs(gradient), 1))
    signals = Probe(model, taps)(words, np.array([0, 1]))
    assert list(signals["error"]) == ["head"]
    np.testing.assert_array_equal(signals["x"]["words"], words)
    rows = signals["weight"]["words"]
    assert (rows[[1, 2, 3, 4, 5]] > 0).all()
    assert (rows[[0, 6]] == 0).all()


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_a_recurrent_layer_counts_as_one(layer):
    model = keras.Sequential(
        [keras.Input((3, 4)), layer(2, name="rnn"), layers.Dense(2, name="dense")]
    )
    signals = Probe(model, TAPS)(np.ones((2, 3, 4), "float32"), np.array([0, 1]))
    assert list(signals["input_gradient"]) == ["rnn", "dense"]
    assert signals["input"]["rnn"].shape == (2, 3, 4)
    kernels = list(signals["weight"])
    assert [name.split("/")[0] for name in kernels] == ["rnn", "rnn", "dense"]
    assert [name.split("/")[-1] for name in kernels[:2]] == ["kernel", "recurrent_kernel"]
    assert all(signals["weight"][name] > 0 for name in kernels)


def test_layers_within_wrappers_count_as_one():
    model = keras.Sequential(
        [
            keras.Input((3, 4)),
            layers.TimeDistributed(layers.Dense(2, name="dense"), name="times"),
            layers.Bidirectional(layers.GRU(2), name="both"),
            layers.Dense(2, name="head"),
        ]
    )
    signals = Probe(model, TAPS)(np.ones((2, 3, 4), "float32"), np.array([0, 1]))
    assert list(signals["input"]) == ["times", "both", "head"]
    assert len(signals["weight"]) == 1 + 4 + 1
    assert all(norm > 0 for norm in signals["weight"].values())


def test_kernels_have_one_name_in_all_instruments():
    class Own(keras.layers.Layer):
        def build(self, shape):
            for name in ("left", "right", "right"):  # Keras lets two share a path
                self.add_weight(shape=(4, 4), initializer="orthogonal", name=name)

        def call(self, x):
            return x @ self.weights[0] + x @ self.weights[1] + x @ self.weights[2]

    model = keras.Sequential(
        [
            keras.Input((4,)),
            Own(name="own"),
            layers.Dense(2, name="head"),
        ]
    )
    names = ["own/left", "own/right", "own/right_2", "head"]
    gradients = Probe(model, {"g": Tap("weight_gradient", gradient_norm)}, loss="mse")
    sizes = map_kernels(model, lambda kernel: tuple(kernel.shape))
    assert list(gradients(X, np.zeros((5, 2)))["g"]) == list(sizes) == names
    # One that is frozen does not change the names of the others.
    model.get_layer("own").weights[0].trainable = False
    gradients = Probe(model, {"g": Tap("weight_gradient", gradient_norm)}, loss="mse")
    assert list(gradients(X, np.zeros((5, 2)))["g"]) == names[1:]


def test_stages_that_loop_over_their_blocks_are_read_block_by_block():
    blocks = 4 if LOOP_FROM[0] == np.inf else LOOP_FROM[0]
    model = keras.Sequential(
        [
            keras.Input((2, 2, 2)),
            ResidualStage(2, blocks + 1, name="stage"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    x = RNG.standard_normal((4, 2, 2, 2)).astype("float32")
    taps = {"x": Tap("input", mean_square), "q": Tap("input_gradient", mean_square)}
    signals = Probe(model, taps)(x, np.array([0, 1, 0, 1]))
    assert len(signals["x"]) == len(signals["q"]) == 2 * (blocks + 1) + 1
    # The first convolution of each block reads what the block does.
    inner = [f"stage/block{i}/conv1" for i in (1, blocks + 1)]
    assert all(signals["q"][name] > 0 for name in inner)
    assert signals["x"][inner[0]] == pytest.approx(np.mean(x**2), rel=1e-5)


def test_an_application_of_keras():
    net = keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, weights=None)
    x = layers.GlobalAveragePooling2D()(net.get_layer("conv_pw_2_relu").output)
    model = keras.Model(net.input, layers.Dense(3, name="head")(x))
    x = RNG.standard_normal((2, 32, 32, 3)).astype("float32")
    taps = {
        "weight": Tap("weight_gradient", gradient_norm),
        "q": Tap("output_gradient", mean_square),
    }
    signals = Probe(model, taps)(x, np.array([0, 2]))
    wanted = ["conv1", "conv_dw_1", "conv_pw_1", "conv_dw_2", "conv_pw_2", "head"]
    assert list(signals["weight"]) == list(signals["q"]) == wanted
    assert all(v > 0 for found in signals.values() for v in found.values())


def test_inputs_by_name_and_several_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    joined = layers.Add(name="joined")([layers.Dense(2, name="left")(a), b[:, :2]])
    model = keras.Model({"a": a, "b": b}, joined)
    given = {"a": X, "b": X}
    x = Probe(model, {"x": Tap("input", identity)})(given)["x"]
    np.testing.assert_array_equal(x["left"], X)
    output = Probe(model, {"y": Tap("output", identity)}, layers=["joined"])(given)["y"]["joined"]
    np.testing.assert_allclose(output, array(model(given)), rtol=1e-5, atol=1e-6)
    refused = Probe(model, {"x": Tap("input", identity)}, layers=["joined"])
    with pytest.raises(ZooError, match="input of layer joined is no single tensor, but a list"):
        refused(given)
