"""Published counts and shapes, heads, options. What every family holds: `tests/contract`."""

import math

import keras
import numpy as np
import pytest

import zoo
from tests.support.families import SMALL, images, small
from tests.support.helpers import array
from zoo import registry
from zoo.errors import ZooError
from zoo.layers import LayerFactory
from zoo.models.deferred import build_without_values

once = pytest.mark.once

# The published weights of table I of [O], in millions, at what they were counted for.
TABLE_1 = {3: 0.50, 5: 0.68, 10: 1.13, 15: 1.59, 20: 2.04, 40: 3.86, 50: 4.78}


def empty(name, **options):
    """A net without values, to be looked at."""
    return build_without_values(lambda: zoo.create(name, **options))


def trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


@once
@pytest.mark.parametrize(("depth", "millions"), TABLE_1.items())
def test_mlp_weights_are_those_of_table_1(depth, millions):
    options = {"input_shape": (32, 32, 1), "num_classes": 20}
    model = empty(f"maxnorm_mlp{depth}", **options)
    # The last row prints 4.78 where the count gives 4.768.
    assert abs(trainable(model) / 1e6 - millions) < (0.0125 if depth == 50 else 0.005)


@once
def test_plainnet50_weights_are_the_published_ones():
    assert round(trainable(empty("maxnorm_plainnet50")) / 1e6, 2) == 0.72


@once
@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_plainnet_depth_and_strides(depth):
    model = empty(f"plainnet{depth}", width=2)
    weighted = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]
    assert len(weighted) == depth
    assert [layer.name for layer in weighted if getattr(layer, "strides", (1,))[0] == 2] == [
        "stage2_1_conv",
        "stage3_1_conv",
    ]
    assert model.get_layer("head_pool").input.shape == (None, 8, 8, 8)


@once
def test_maxnorm_plainnet50_has_the_maps_of_table_a1():
    model = empty("maxnorm_plainnet50")
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convs) == 50
    assert [model.get_layer(f"stage{s}_1_conv").output.shape[1] for s in (1, 2, 3)] == [32, 16, 7]


def test_strided_convolution_pads_like_the_published_code():
    # One on each side: output 0 sees input -1..1. Keras's "same" would see 0..2.
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, LayerFactory(norm="none").conv(1, 3, "c", strides=2)(inputs))
    corner = np.zeros((3, 3, 1, 1), "float32")
    corner[0, 0] = 1  # picks the pixel up and left of the centre
    model.get_layer("c").set_weights([corner, np.zeros(1, "float32")])
    image = np.arange(36, dtype="float32").reshape(1, 6, 6, 1)
    expected = np.zeros((3, 3))
    expected[1:, 1:] = image[0, 1:5:2, 1:5:2, 0]
    np.testing.assert_array_equal(array(model(image))[0, ..., 0], expected)


@pytest.mark.parametrize(
    ("name", "options", "shape"), SMALL[:3], ids=[name for name, _, _ in SMALL[:3]]
)
def test_initial_kernels(name, options, shape):
    model = small(name, options, shape)
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        w = array(layer.kernel).reshape(-1, layer.kernel.shape[-1])
        if name.startswith("plainnet"):
            for start in range(0, w.shape[1], w.shape[0]):
                part = w[:, start : start + w.shape[0]]
                np.testing.assert_allclose(part.T @ part, np.eye(part.shape[1]), atol=1e-5)
        else:  # He uniform
            assert np.abs(w).max() <= math.sqrt(6 / w.shape[0])


def test_head_options():
    logits = zoo.create("maxnorm_mlp3", activation=None)
    softmax = zoo.create("maxnorm_mlp3")
    softmax.set_weights(logits.get_weights())
    x = images((16, 16, 1))
    e = np.exp(array(logits(x)))
    np.testing.assert_allclose(array(softmax(x)), e / e.sum(axis=1, keepdims=True), atol=1e-5)
    assert zoo.create("maxnorm_mlp3", num_classes=0).output_shape == (None, 300)
    assert zoo.create("plainnet20", num_classes=0).output_shape == (None, 64)


def test_ablations_of_table_2():
    naive = zoo.create("maxnorm_mlp5", norm="none", nonlinearity="relu", max_norm=None)
    assert not any("norm" in layer.name for layer in naive.layers)
    assert naive.get_layer("hidden1_dense").kernel_constraint is None
    assert isinstance(naive.get_layer("hidden1_act"), keras.layers.ReLU)
    full = zoo.create("maxnorm_mlp5")
    assert full.get_layer("hidden1_act").negative_slope == pytest.approx(0.3)
    assert full.get_layer("hidden1_norm").momentum == 0.9
    assert full.get_layer("hidden1_norm").epsilon == 1e-5


def test_weight_decay_has_the_gradient_of_its_name():
    model = zoo.create("maxnorm_mlp3", weight_decay=0.2)
    total = sum(array(loss) for loss in model.losses)
    squares = sum((array(x.kernel) ** 2).sum() for x in model.layers if hasattr(x, "kernel"))
    np.testing.assert_allclose(total, 0.1 * squares, rtol=1e-5)


@once
def test_list_models():
    depths = (20, 32, 44, 56, 110, 18, 34, 50, 101)
    assert zoo.list_models("plainnet*") == [f"plainnet{d}" for d in depths]
    assert zoo.list_models("maxnorm*50") == ["maxnorm_plainnet50", "maxnorm_mlp50"]
    assert zoo.list_models("resnext*") == []


@once
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("planenet20", {}, "Did you mean 'plainnet20'"),
        ("plainnet21", {}, "Did you mean 'plainnet"),
        (None, {}, "Unknown model: None"),
        ("plainnet20", {"widht": 4}, "Did you mean 'width'"),
        ("plainnet20", {"depth": 44}, "Unknown argument of plainnet20: 'depth'"),
        ("plainnet20", {"width": 0}, "width must be an integer from 1 to 4096"),
        ("plainnet20", {"width": True}, "width must be an integer"),
        ("plainnet20", {"width": "4"}, "width must be an integer"),
        ("plainnet20", {"num_classes": -1}, "num_classes must be an integer from 0"),
        ("plainnet20", {"input_shape": (3, 3, 3)}, "at least 4"),
        ("plainnet20", {"input_shape": (32, 32)}, "input_shape must be"),
        ("plainnet20", {"input_shape": "32"}, "input_shape must be a tuple"),
        ("plainnet20", {"weight_decay": 1e-4}, "exclude each other"),
        ("plainnet20", {"orthonormal": float("nan")}, "orthonormal must be a number"),
        ("plainnet20", {"nonlinearity": "swish"}, "one of 'relu', 'crelu'"),
        ("plainnet20", {"activation": "relu"}, "one of 'softmax', 'sigmoid', None"),
        ("maxnorm_plainnet50", {"input_shape": (5, 32, 3)}, "at least 6"),
        ("maxnorm_mlp3", {"max_norm": 0}, "max_norm must be a number"),
        ("maxnorm_mlp3", {"input_shape": ()}, "1 to 3 integers"),
        ("maxnorm_mlp3", {"input_shape": (None, None, 1)}, "must be given in full"),
        ("maxnorm_mlp3", {"norm": "normprop"}, "norm must be one of 'batchnorm', 'none'"),
    ],
)
def test_bad_arguments_name_what_is_allowed(name, options, message):
    with pytest.raises(ZooError) as caught:
        zoo.create(name, **options)
    assert message in str(caught.value)


@once
@pytest.mark.parametrize("depth", [2, 7, 21])
def test_plainnet_refuses_depths_that_do_not_fit(depth):
    from zoo.models.plainnet import plainnet

    with pytest.raises(ZooError, match="depth must be 6n"):
        plainnet(depth)


@once
def test_every_variant_documents_its_paper_and_options():
    for variant in registry.variants("classification").values():
        assert variant.paper
        for option in variant.options:
            assert option in variant.family.__doc__
