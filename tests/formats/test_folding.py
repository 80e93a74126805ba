"""`zoo.fold`: the same outputs in fewer layers, and what cannot go."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from tests.support.families import SMALL, images, small
from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.formats.affine import Affine, Linear

MORE = [
    ("plainnet20", {"width": 4, "modulation": True}, (8, 8, 3)),
    ("seqnet50", {"stem": "cifar", "width": 2, "tie_conv4": True, "inner_norm": True}, (8, 8, 3)),
    ("seqnet18", {"stem": "tiny_imagenet", "width": 2, "inner_bias": True}, (16, 16, 3)),
    ("resnet18_lastbn", {"stem": "tiny_imagenet", "width": 2}, (16, 16, 3)),
]
# Normalizations whose input others read; minus signs of CReLU; normalizations of other shortcuts.
LEFT = {"preresnet20": 9, "crelu_resnet20": 9, "normprop_resnet20": 2}


def trained(model, seed=0):
    """The model with statistics and factors as training leaves them, of either sign."""
    rng = np.random.default_rng(seed)
    for v in model.weights:
        if "moving_variance" in v.path:
            v.assign(rng.uniform(0.5, 2, v.shape))
        elif "gamma" in v.path:
            v.assign(rng.uniform(-0.5, 1.5, v.shape))
        elif any(word in v.path for word in ("moving_mean", "beta", "bias")):
            v.assign(rng.normal(0, 0.3, v.shape))
    return model


def check(model, tolerance=1e-5):
    """Folds a model and compares the outputs with their scale."""
    folded = zoo.fold(model)
    x = images(model.input_shape[1:])
    expected, received = (array(net(x, training=False)) for net in (model, folded))
    assert np.abs(expected).max() > 0
    assert np.abs(received - expected).max() <= tolerance * np.abs(expected).max()
    return folded


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(("name", "options", "shape"), SMALL + MORE)
def test_every_family_folds(name, options, shape):
    folded = check(trained(small(name, options, shape)))
    assert len(folded.zoo_folding.stayed) == LEFT.get(name, 0)
    stay = kinds(folded).count("BatchNormalization") + kinds(folded).count("Rescaling")
    assert stay == len(folded.zoo_folding.stayed)
    assert folded.zoo_folding.before.multiply_adds == folded.zoo_folding.after.multiply_adds
    assert "zoo" not in json.dumps(json.loads(folded.to_json())["config"])
    again = zoo.fold(folded)
    assert [layer.name for layer in again.layers] == [layer.name for layer in folded.layers]
    for a, b in zip(again.weights, folded.weights, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


@pytest.mark.once
def test_a_plain_chain_is_convolutions_and_nonlinearities():
    folded = zoo.fold(zoo.create("maxnorm_plainnet50", input_shape=(8, 8, 3)))
    assert set(kinds(folded)[:-3]) == {"InputLayer", "Conv2D", "LeakyReLU", "MaxPooling2D"}
    assert str(folded.zoo_folding).startswith("layers: 155 -> 105\n")


@pytest.mark.once
def test_a_shipped_checkpoint_folds_and_predicts(tmp_path):
    model = zoo.load("seqnet18.cifar10")
    folded = check(model, tolerance=1e-4)
    assert not folded.zoo_folding.stayed
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), "uint8")
    for one, other in zip(zoo.predict(model, pictures), zoo.predict(folded, pictures), strict=True):
        assert [label for label, _ in one] == [label for label, _ in other]
    folded.save(tmp_path / "net.keras")
    back = keras.saving.load_model(tmp_path / "net.keras")
    x = images((32, 32, 3))
    np.testing.assert_array_equal(array(back(x)), array(folded(x)))


@pytest.mark.once
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Conv2D(6, 3, groups=2),
        lambda: layers.Conv2D(5, (1, 3), padding="same", use_bias=False),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.Dense(7),
    ],
)
def test_kernels_take_up_maps_on_either_side(make):
    rng = np.random.default_rng(1)
    layer = make()
    model = keras.Sequential([keras.Input((6, 5, 4)), layer])
    before, behind = (
        Affine(rng.normal(size=n), rng.normal(size=n)) for n in (4, layer.output.shape[-1])
    )
    if getattr(layer, "padding", "valid") == "same":
        before = Affine(before.scale, np.zeros(4))
    linear = Linear.of(layer).behind(before).before(behind)
    x = rng.normal(size=(2, 6, 5, 4))
    expected = array(model(x * before.scale + before.shift)) * behind.scale + behind.shift
    new = make()
    new.use_bias = True
    model = keras.Sequential([keras.Input((6, 5, 4)), new])
    new.set_weights(linear.weights)
    np.testing.assert_allclose(array(model(x)), expected, atol=2e-5)


def net(*chain, shape=(8, 8, 3)):
    return trained(keras.Sequential([keras.Input(shape), *chain]))


@pytest.mark.once
def test_keras_networks_fold_too():
    # Behind a nonlinearity, into the next layer, with the pixels of a row of their own.
    folded = check(
        net(
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        )
    )
    assert kinds(folded)[-4:] == ["Conv2D", "AveragePooling2D", "Flatten", "Dense"]
    # Both ways through poolings; a second normalization behind the first.
    folded = check(
        net(
            layers.Conv2D(4, 3, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.BatchNormalization(),
            layers.BatchNormalization(),
            layers.Activation("linear"),
        )
    )
    assert kinds(folded)[-2:] == ["Conv2D", "GlobalAveragePooling2D"]
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=5)
    assert "BatchNormalization" not in kinds(check(trained(model), tolerance=1e-4))


@pytest.mark.once
@pytest.mark.parametrize(
    ("chain", "why"),
    [
        (
            [layers.ReLU(), layers.BatchNormalization(), layers.Conv2D(2, 3, padding="same")],
            "padding",
        ),
        ([layers.ReLU(), layers.BatchNormalization(), layers.ReLU()], "comes behind"),
        ([layers.ReLU(), layers.BatchNormalization()], "it is an output"),
        ([layers.Conv2D(16, 3), layers.MaxPooling2D(), layers.BatchNormalization()], "max_pooling"),
        ([layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()], "nonlinearity"),
    ],
)
def test_what_stays_says_why(chain, why):
    chain = [layer.__class__.from_config(layer.get_config()) for layer in chain]
    folded = check(net(*chain))
    assert kinds(folded).count("BatchNormalization") == 1
    assert why in next(iter(folded.zoo_folding.stayed.values()))
    assert "stays" in str(folded.zoo_folding)


@pytest.mark.once
def test_what_two_layers_read_is_not_changed_for_one():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="shared")(x)
    y = layers.BatchNormalization()(x)
    model = trained(keras.Model(inputs, layers.Add()([x, y])))
    assert "others read the output of shared" in str(check(model).zoo_folding)


@pytest.mark.once
def test_what_cannot_be_folded_is_refused_by_name():
    class Own(layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(ZooError, match="mine: there are no layers of Keras for a Own"):
        zoo.fold(net(Own(name="mine")))
