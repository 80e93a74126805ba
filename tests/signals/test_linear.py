import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from zoo.errors import UnknownNameError, ZooError
from zoo.signals.conditioning import layer_conditioning
from zoo.signals.linear import LinearSignals, linear_layers, pairs_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3)).astype("float32")
Y = RNG.standard_normal((6, 2)).astype("float32")


def product(targets, outputs):
    """A loss whose gradient by the outputs of an example is its target."""
    return ops.sum(ops.cast(targets, outputs.dtype) * outputs, axis=-1)


def test_signals_of_each_example_before_a_fused_activation():
    fused = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2, activation="tanh")]
    )
    first, last = (np.asarray(ops.convert_to_numpy(d.kernel)) for d in fused.layers)
    hidden = np.maximum(X @ first, 0)
    dh2 = Y * (1 - np.tanh(hidden @ last) ** 2)
    dh1 = (dh2 @ last.T) * (hidden > 0)
    pairs = LinearSignals(fused, loss=product)(X, Y)
    assert list(pairs) == [d.name for d in fused.layers]
    for (x, dh), (x_, dh_) in zip(pairs.values(), [(X, dh1), (hidden, dh2)], strict=True):
        np.testing.assert_allclose(x, x_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(dh, dh_, rtol=1e-4, atol=1e-6)
    # The model is as it was.
    np.testing.assert_allclose(
        ops.convert_to_numpy(fused(X)), np.tanh(hidden @ last), rtol=1e-5, atol=1e-6
    )


def test_an_activation_that_is_a_layer():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation=layers.LeakyReLU(0.5))])
    (dense,) = model.layers
    h = X @ np.asarray(ops.convert_to_numpy(dense.kernel))
    _, dh = LinearSignals(model, loss=product)(X, Y)[dense.name]
    np.testing.assert_allclose(dh, Y * np.where(h > 0, 1, 0.5), rtol=1e-5)
    assert isinstance(dense.activation, layers.LeakyReLU)


def test_gradients_of_convolutions_scale_by_examples_or_by_positions():
    """Second moments of layers of H W positions differ by (H W)^2, condition numbers do not."""
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(3, 1, name="conv")])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2, name="dense"))
    x, y = RNG.standard_normal((6, 4, 4, 2)).astype("float32"), Y
    default = LinearSignals(model, loss=product)(x, y)
    program = LinearSignals(model, loss=product, scale="positions")(x, y)
    np.testing.assert_allclose(program["conv"][1], 16 * default["conv"][1], rtol=1e-6)
    np.testing.assert_array_equal(program["conv"][0], default["conv"][0])
    np.testing.assert_array_equal(program["dense"][1], default["dense"][1])
    spectra = [
        layer_conditioning(model, [(x, y)], loss=product, scale=scale)["conv"].gradients
        for scale in ("examples", "positions")
    ]
    assert spectra[1].lambda_max == pytest.approx(256 * spectra[0].lambda_max, rel=1e-5)
    assert spectra[1].kappa(50) == pytest.approx(spectra[0].kappa(50), rel=1e-4)
    with pytest.raises(ZooError, match=r"'examples' or 'positions'. Received: 'pixels'"):
        LinearSignals(model, scale="pixels")


def test_layers_are_chosen_by_kind():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            zoo.layers.SymmetricConv2D(2, 3, name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="head"),
        ]
    )
    assert list(linear_layers(model).values()) == ["conv", "head"]
    assert list(linear_layers(model, kinds=(layers.Dense,)).values()) == ["head"]
    grouped = keras.Sequential(
        [
            keras.Input((8, 4)),
            layers.Conv1D(4, 3, groups=2, name="grouped"),
            layers.BatchNormalization(name="norm"),
        ]
    )
    with pytest.raises(ZooError, match="has no layer of these kinds: Dense, Conv1D"):
        linear_layers(grouped)
    with pytest.raises(ZooError, match="grouped is a Conv1D of several groups; allowed: Dense"):
        linear_layers(grouped, ["grouped"])
    with pytest.raises(ZooError, match="norm is a BatchNormalization; allowed: Dense"):
        linear_layers(grouped, ["norm"])
    with pytest.raises(UnknownNameError, match="Did you mean 'grouped'"):
        linear_layers(grouped, ["groupd"])


def test_a_signal_that_is_not_finite_is_named():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="a"), layers.Dense(2)])
    model.layers[0].kernel.assign(np.full((3, 2), np.inf))
    with pytest.raises(ZooError, match=r"The (input|output gradient) of layer \w+ holds NaN"):
        LinearSignals(model, loss=product)(X, Y)
    broken = X.copy()
    broken[4, 1] = np.nan
    with pytest.raises(ZooError, match="example 4"):
        LinearSignals(model, loss=product)(broken, Y)


def test_batches_are_pairs():
    assert list(pairs_of([(1, 2), [3, 4]])) == [(1, 2), (3, 4)]
    with pytest.raises(ZooError, match="at least one pair"):
        list(pairs_of([]))
    with pytest.raises(ZooError, match=r"one batch is \[\(inputs, targets\)\]. Received: ndarray"):
        list(pairs_of((X, Y)))
