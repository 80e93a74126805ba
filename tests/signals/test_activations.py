"""Statistics of activations: exact on planted units, over any split, of any kind of model."""

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.errors import UnknownNameError, ZooError
from zoo.models.small_resnet import small_resnet
from zoo.signals.activations import activation_layers, activation_statistics
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap

X = np.array([[1.0, -1.0, 0.5], [3.0, -2.0, 0.0], [2.0, -1.0, -0.5], [6.0, -4.0, 0.0]], "float32")


def activation(layer, width=3):
    """A model of nothing but an activation, on vectors."""
    return keras.Sequential([keras.Input((width,)), layer])


def only(model, batches, **options):
    (found,) = activation_statistics(model, batches, **options).values()
    return found


def reference(a, thresholds):
    """The same numbers of ReLU activations (…, units), by NumPy in float64."""
    a = a.reshape(-1, a.shape[-1]).astype("float64")
    return {
        "count": len(a),
        "mean": a.mean(axis=0),
        "variance": a.var(axis=0),
        "mean_absolute": np.abs(a).mean(axis=0),
        "max_absolute": np.abs(a).max(axis=0),
        "nonzero": (a != 0).mean(axis=0),
        "active": (a > 0).mean(axis=0),
        "above": {t: (np.abs(a) > t).mean(axis=0) for t in thresholds},
    }


def assert_like(found, expected):
    assert found.count == expected["count"]
    for key in ("mean", "variance", "mean_absolute", "max_absolute"):
        np.testing.assert_allclose(getattr(found, key), expected[key], rtol=2e-5, err_msg=key)
    for key in ("nonzero", "active"):
        np.testing.assert_allclose(getattr(found, key), expected[key], rtol=1e-15, err_msg=key)
    assert found.above.keys() == expected["above"].keys()
    for t, share in found.above.items():
        np.testing.assert_allclose(share, expected["above"][t], rtol=1e-15)


def test_full_dying_and_other_units_of_relu():
    found = only(activation(layers.ReLU()), [X], thresholds=(0.2, 3.0))
    assert found.count == 4
    assert found.mean.tolist() == [3.0, 0.0, 0.125]
    assert found.variance.tolist() == [3.5, 0.0, 0.046875]
    assert found.max_absolute.tolist() == [6.0, 0.0, 0.5]
    assert found.nonzero.tolist() == found.active.tolist() == [1.0, 0.0, 0.25]
    # "Above" is strict: 3.0 is not above 3.
    assert {t: a.tolist() for t, a in found.above.items()} == {
        0.2: [1.0, 0.0, 0.25],
        3.0: [0.25, 0.0, 0.0],
    }
    assert found.full.tolist() == [True, False, False]
    assert found.dying.tolist() == [False, True, False]


def test_a_layer_in_single_numbers():
    a = np.maximum(X, 0).astype("float64")
    found = only(activation(layers.ReLU()), [X[:3], X[3:]], thresholds=(0.2,)).summary()
    assert found.pop("deviation") == pytest.approx(a.std(), rel=1e-7)
    assert found == {
        "units": 3,
        "mean": pytest.approx(a.mean()),
        "mean_absolute": pytest.approx(a.mean()),
        "max_absolute": 6.0,
        "nonzero": pytest.approx(5 / 12),
        "active": pytest.approx(5 / 12),
        "above 0.2": pytest.approx(5 / 12),
        "dying": 1,
        "full": 1,
    }


def test_negative_activations_count_by_size_and_are_not_active():
    found = only(activation(layers.LeakyReLU(0.5)), [X], thresholds=(0.75,))
    assert found.mean[1] == -1.0
    assert found.mean_absolute[1] == 1.0
    assert found.max_absolute[1] == 2.0
    assert found.above[0.75].tolist() == [1.0, 0.5, 0.0]
    assert found.nonzero.tolist() == [1.0, 1.0, 0.5]
    # A leaky unit that never leaves its flat side is as linear there as a dead one.
    assert found.dying.tolist() == [False, True, False]


def test_crelu_has_half_of_its_outputs_nonzero():
    x = np.random.default_rng(0).standard_normal((50, 3)).astype("float32")
    found = only(activation(zoo.layers.CReLU()), [x])
    assert len(found.mean) == 6
    assert found.summary()["nonzero"] == 0.5


@pytest.mark.parametrize(
    "layer",
    [
        zoo.layers.NormPropActivation(),
        layers.Activation("sigmoid"),
        layers.Activation("tanh"),
        layers.Activation("softplus"),
        layers.PReLU(),
    ],
    ids=lambda layer: layer.name,
)
def test_active_is_above_what_zero_gives(layer):
    found = only(activation(layer), [X])
    assert found.active.tolist() == [1.0, 0.0, 0.25]


def test_units_that_normprop_switches_off_are_zero_entries():
    found = only(activation(zoo.layers.NormPropActivation()), [X])
    assert found.nonzero.tolist() == [1.0, 0.0, 0.25]
    assert found.mean[1] == pytest.approx(-1 / np.sqrt(np.pi - 1), rel=1e-6)


def test_units_of_a_convolution_are_channels_over_all_positions():
    x = np.zeros((2, 3, 3, 2), "float32")
    x[1, 2, 0] = [4.0, -4.0]  # one position of one example fires channel 0
    x[..., 1] -= 1.0
    model = keras.Sequential([keras.Input((3, 3, 2)), layers.Activation("relu")])
    found = only(model, [x])
    assert found.count == 18
    assert found.active.tolist() == [1 / 18, 0.0]
    assert found.dying.tolist() == [False, True]


def test_any_split_into_batches_gives_the_numbers_of_everything_at_once():
    x = np.random.default_rng(0).standard_normal((60, 4, 4, 5)).astype("float32") * [1, 2, 3, 4, 5]
    x = (x + np.array([0, 0, 9, -9, 100])).astype("float32")
    model = keras.Sequential([keras.Input((4, 4, 5)), layers.ReLU()])
    thresholds = (0.05, 1.0, 10.0)
    expected = reference(np.maximum(x, 0), thresholds)
    for batches in ([x], (x[i : i + 7] for i in range(0, 60, 7))):
        assert_like(only(model, batches, thresholds=thresholds), expected)


def test_a_large_mean_does_not_hide_the_variance():
    # One pass over squares would lose 1 in 1e8.
    x = 1e4 + np.array([[-1.0], [1.0]] * 20, "float32")
    found = only(activation(layers.ReLU(), 1), [x[:13], x[13:]])
    assert found.variance[0] == pytest.approx(1.0, abs=1e-2)


def test_activations_of_layers_that_apply_them_themselves():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="fused"),
            layers.Conv2D(4, 3, name="linear"),
            layers.BatchNormalization(),
            layers.LeakyReLU(name="leaky"),
            layers.Flatten(),
            layers.Dense(5, activation=keras.activations.gelu, name="gelu"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    assert [layer.name for layer in activation_layers(model)] == ["fused", "leaky", "gelu"]
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype("float32")
    found = activation_statistics(model, [x])
    assert {name: (s.count, len(s.mean)) for name, s in found.items()} == {
        "fused": (72, 4),
        "leaky": (32, 4),
        "gelu": (2, 5),
    }
    expected = np.asarray(keras.ops.convert_to_numpy(model.layers[0](x)))
    assert_like(found["fused"], reference(expected, tuple(found["fused"].above)))


def test_recurrent_layers_have_no_activations_and_reused_ones_several():
    relu = layers.ReLU(name="twice")
    x = inputs = keras.Input((4, 3))
    x = layers.LSTM(3, return_sequences=True)(x)
    x = relu(relu(x) - 1.0)
    model = keras.Model(inputs, x)
    assert activation_layers(model) == [relu]
    found = activation_statistics(model, [np.ones((2, 4, 3), "float32")])
    assert list(found) == ["twice", "twice#2"]
    # tanh and a gate keep an LSTM below 1.
    assert found["twice#2"].dying.all()
    assert found["twice"].count == 8


class Nested(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(4), layers.ReLU(name="inside")])
        self.out = layers.Dense(2, activation="tanh")

    def call(self, x):
        return self.out(self.inner(x))


def test_subclassed_models():
    model = Nested()
    model(np.zeros((1, 3), "float32"))
    found = activation_statistics(model, [X])
    assert len(found) == 2
    assert [len(s.mean) for s in found.values()] == [4, 2]


def test_residual_nets_of_the_zoo_in_the_order_of_their_pass():
    model = small_resnet(8, nonlinearity="crelu", input_shape=(4, 4, 3), width=2)
    found = activation_statistics(model, [np.ones((1, 4, 4, 3), "float32")])
    places = [f"stage{s}/block1/act{i}" for s in (1, 2, 3) for i in (1, 2)]
    assert list(found) == ["stem_act", *places]
    # CReLU inside the blocks, ReLU behind their sums.
    assert [len(s.mean) for s in found.values()] == [2, 4, 2, 8, 4, 16, 8]


def test_batch_normalization_by_the_batch_leaves_no_unit_dying_or_full():
    model = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(), layers.Activation("relu")]
    )
    x = X + np.float32(100) * np.array([1, -1, 0], "float32")
    by_batch = only(model, [x], training=True)
    assert not by_batch.dying.any()
    assert not by_batch.full.any()
    moving = only(model, [x])
    assert moving.full.tolist() == [True, False, False]
    assert moving.dying.tolist() == [False, True, False]


def test_half_precision_is_summed_in_single():
    x = np.full((4096, 1), 1.0, "float32")
    model = activation(layers.ReLU(dtype="bfloat16"), 1)
    assert only(model, [x, x]).mean[0] == 1.0


def test_other_layers_by_name():
    model = activation(layers.Dense(1, kernel_initializer="ones", name="sum"))
    found = activation_statistics(model, [X], layers=["sum"], thresholds=())["sum"]
    assert found.mean[0] == 1.0
    assert found.above == {}


def test_units_that_give_nan_are_not_called_dying():
    model = activation(layers.Activation(lambda x: keras.ops.relu(x) * float("nan")))
    found = only(model, [X])
    assert not found.dying.any()
    assert np.isnan(found.mean).all()


def test_what_is_refused():
    model = activation(layers.ReLU(name="act"))
    with pytest.raises(ZooError, match=r"one array of shape \(4, 3\)"):
        activation_statistics(model, X)
    with pytest.raises(ZooError, match="at least one batch"):
        activation_statistics(model, [])
    with pytest.raises(ZooError, match="example 2"):
        activation_statistics(model, [np.where(X == 2.0, np.nan, X)])
    with pytest.raises(ZooError, match="at least 0"):
        activation_statistics(model, [X], thresholds=(1.0, -1.0))
    with pytest.raises(UnknownNameError, match="act"):
        activation_statistics(model, [X], layers=["akt"])
    with pytest.raises(ZooError, match="no layer of a nonlinearity"):
        activation_statistics(activation(layers.Dense(2)), [X])


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="other backends keep no graph")
def test_torch_keeps_no_graph_of_a_forward_pass():
    kept = []
    dense = layers.Dense(2)
    tap = Tap("output", lambda x: kept.append(x.requires_grad) or x.sum())
    Probe(activation(dense), {"sum": tap}, layers=[dense])(X)
    assert kept == [False]
