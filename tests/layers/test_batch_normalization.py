import keras
import numpy as np
import pytest

from tests.support.helpers import array, gradient
from zoo.layers import BatchNormalization, fused_batch_norm

SHAPES = [(8, 5, 4, 6), (32, 6), (8, 7, 6), (4, 3, 2, 2, 6), (1, 1, 1, 6), (1, 6)]


def pair(**kwargs):
    """Our layer and Keras's with the same arguments."""
    return BatchNormalization(**kwargs), keras.layers.BatchNormalization(**kwargs)


def data(shape, seed=0):
    return np.random.default_rng(seed).normal(1.5, 3.0, size=shape).astype("float32")


def randomize(layers, shape):
    for layer in layers:
        layer.build(shape)
    rng = np.random.default_rng(1)
    for variables in zip(*(layer.variables for layer in layers), strict=True):
        value = rng.uniform(0.5, 2.0, size=shape[-1])
        for variable in variables:
            variable.assign(value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_same_numbers_as_keras(shape, policy):
    ours, theirs = pair(momentum=0.9, epsilon=1e-5, dtype=policy)
    randomize((ours, theirs), shape)
    assert [v.path.split("/")[-1] for v in ours.variables] == [
        v.path.split("/")[-1] for v in theirs.variables
    ]
    x = keras.ops.cast(data(shape), ours.compute_dtype)
    tolerance = 1e-4 if policy == "float32" else 0.05
    for training in (True, False):
        a, b = ours(x, training=training), theirs(x, training=training)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(array(a), array(b), rtol=tolerance, atol=tolerance)
        for v, w in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(array(v), array(w), rtol=1e-4, err_msg=v.path)


@pytest.mark.parametrize("training", [True, False])
def test_same_gradient_as_keras(training):
    layers = pair(momentum=0.9, epsilon=1e-5)
    randomize(layers, (8, 5, 4, 6))
    target = keras.ops.convert_to_tensor(data((8, 5, 4, 6), seed=3))
    ours, theirs = (
        gradient(lambda x, f=f: keras.ops.sum(f(x, training=training) * target), data((8, 5, 4, 6)))
        for f in layers
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_fused_kernel_is_used_where_there_is_one(monkeypatch):
    if keras.backend.backend() == "jax":
        assert fused_batch_norm.normalize is None
        return
    calls = []
    real = fused_batch_norm.normalize_batch
    monkeypatch.setattr(fused_batch_norm, "normalize_batch", lambda *a: calls.append(1) or real(*a))
    BatchNormalization()(data((8, 3, 3, 2)), training=True)
    assert calls == [1]
    # Keras's own formula where the kernel does not fit.
    BatchNormalization(axis=1)(data((8, 3, 3, 2)), training=True)
    BatchNormalization(dtype="float64")(data((8, 3)), training=True)
    BatchNormalization()(data((8, 3, 2)), training=True, mask=np.ones((8, 3), bool))
    assert calls == [1]


@pytest.mark.parametrize("kwargs", [{"scale": False}, {"center": False}, {"axis": 1}])
def test_options_equal_keras(kwargs):
    ours, theirs = pair(**kwargs)
    x = data((8, 4, 4, 6))
    np.testing.assert_allclose(
        array(ours(x, training=True)), array(theirs(x, training=True)), atol=1e-4
    )
    np.testing.assert_allclose(array(ours(x)), array(theirs(x)), atol=1e-4)


def test_frozen_layer_keeps_its_statistics():
    layer = BatchNormalization()
    layer.build((None, 6))
    layer.trainable = False
    before = array(layer.moving_mean)
    y = layer(data((8, 6)), training=True)
    np.testing.assert_array_equal(array(layer.moving_mean), before)
    np.testing.assert_allclose(array(y), data((8, 6)) / np.sqrt(1 + 1e-3), rtol=1e-4)


def test_trains_in_fit_and_survives_saving(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((5, 5, 3)),
            BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("sgd", "mse")
    x = data((16, 5, 5, 3))
    model.fit(x, np.zeros((16, 2)), verbose=0)
    # One step from zero: 0.01 times the batch mean.
    np.testing.assert_allclose(
        array(model.layers[0].moving_mean), 0.01 * x.mean(axis=(0, 1, 2)), rtol=1e-4
    )
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(again.layers[0], BatchNormalization)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
