import math
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, weight_gradients
from zoo.models.mlp import VARIANTS, mlp

FAMILY = {v.name: v for v in VARIANTS}


def gradient_norms(depth=20, draws=3, **options):
    """Norms of the kernels' gradients as in section 2.1 of the paper: x ~ N(0, I) in batches of
    128, derivatives of the outputs ~ N(0, I / d); averaged over draws of everything."""
    rng, d = np.random.default_rng(0), 128

    def draw():
        model = mlp(depth, units=d, input_shape=(d,), num_classes=0, **options)
        x = rng.normal(size=(128, d)).astype("float32")
        dy = (rng.normal(size=(128, d)) / math.sqrt(d)).astype("float32")
        gradients = weight_gradients(
            model, lambda: ops.sum(ops.multiply(model(x, training=True), dy))
        )
        return [np.linalg.norm(g) for path, g in gradients.items() if path.endswith("kernel")]

    return np.mean([draw() for _ in range(draws)], axis=0)


def rate(norms):
    """Factor per layer toward the input, of the exponential that fits best; the first layer sees
    inputs of another kind."""
    return math.exp(-np.polyfit(np.arange(len(norms) - 1), np.log(norms[1:]), 1)[0])


@pytest.mark.once  # the theory
@pytest.mark.parametrize(
    ("options", "predicted"),
    [
        ({}, math.sqrt(math.pi / (math.pi - 1))),
        ({"nonlinearity": "tanh"}, math.sqrt(1.178)),
        ({"nonlinearity": "selu", "initializer": "lecun_normal"}, math.sqrt(1.072)),
    ],
)
def test_gradients_of_a_plain_net_explode_at_the_predicted_rate(options, predicted):
    np.testing.assert_allclose(rate(gradient_norms(**options)), predicted, rtol=0.03)


def test_gradients_of_a_residual_net_do_not_explode():
    plain, residual = gradient_norms(draws=1), gradient_norms(draws=1, residual=True)
    assert plain[0] / plain[-1] > 20
    assert residual[0] / residual[-1] < 10


def test_residual_net_is_the_formula():
    model = mlp(4, units=6, input_shape=(2, 3), residual=True, num_classes=0)
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    y = x.reshape(5, 6).astype("float64")
    scale = 1 / math.sqrt(1 + 1e-5)  # of a batch normalization that has seen nothing
    for i in (1, 3):
        first, second = (array(model.get_layer(f"hidden{j}_dense").kernel) for j in (i, i + 1))
        y = np.maximum(np.maximum(y @ first * scale, 0) @ second * scale + y, 0)
    np.testing.assert_allclose(array(model(x)), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kernels", "trainable"),
    [
        ("plain_mlp20", 21, 20 * (256 * 256 + 2 * 256) + 2570),
        ("residual_mlp40", 41, 40 * (256 * 256 + 2 * 256) + 2570),
        # The layers of Huang et al. count the classifier.
        ("mlp4_24", 4, 256 * 24 + 2 * 24 * 24 + 3 * 48 + 250),
        ("mlp4_36", 4, 256 * 36 + 2 * 36 * 36 + 3 * 72 + 370),
        ("mlp8_24", 8, 256 * 24 + 6 * 24 * 24 + 7 * 48 + 250),
        ("mlp20_256", 20, 19 * (256 * 256 + 2 * 256) + 2570),
    ],
)
def test_sizes(name, kernels, trainable):
    variant = FAMILY[name]
    model = variant.family(**variant.fixed, name=name)
    paths = [v.path for v in model.trainable_variables]
    assert sum(path.endswith("kernel") for path in paths) == kernels
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == trainable
    assert paths[0] == "hidden1_dense/kernel"
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize(
    ("initializer", "variance"), [("he_normal", 2 / 200), ("lecun_normal", 1 / 100)]
)
def test_initial_variance_is_that_of_the_papers(initializer, variance):
    model = mlp(1, units=200, input_shape=(100,), initializer=initializer)
    w = array(model.get_layer("hidden1_dense").kernel)
    np.testing.assert_allclose(w.var(), variance, rtol=0.04)
    assert np.abs(w).max() > 3 * math.sqrt(variance)  # not cut off


@pytest.mark.parametrize(
    "options",
    [{"norm": "none", "weight_decay": 1e-2}, {"residual": True}, {"nonlinearity": "crelu"}],
)
def test_one_step_changes_every_weight(options):
    model = mlp(2, units=8, input_shape=(8,), num_classes=3, **options)
    assert any("norm" in layer.name for layer in model.layers) == ("norm" not in options)
    before = [array(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(np.random.default_rng(0).normal(size=(12, 8)), np.arange(12) % 3, verbose=0)
    for v, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(array(v) - old).max() > 0, v.path


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (0, {}, "depth must be a positive number"),
        (3, {"residual": True}, "depth must be a positive even number. Received: depth=3"),
        (2, {"residual": True, "input_shape": (28, 28, 1)}, "must have 256 features in all"),
        (2, {"norm": "normprop"}, "norm must be 'batchnorm' or 'none'"),
    ],
)
def test_bad_input(depth, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mlp(depth, **options)
