import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.callbacks import BatchNormRecalibration, recalibrate_batch_norm
from zoo.errors import ZooError
from zoo.layers import repeat


def net():
    """Conv - BN - ReLU - dropout - dense - BN: two norms, and a layer that trains differently."""
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(3, 3, name="conv"),
            zoo.layers.BatchNormalization(name="first"),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(name="second"),
        ]
    )


def images(n=64):
    return np.random.default_rng(0).normal(2, 3, size=(n, 4, 4, 2)).astype("float32")


def input_of(model, name, x):
    """What the layer called `name` receives in inference."""
    return array(keras.Model(model.inputs[0], model.get_layer(name).input)(x, training=False))


@pytest.mark.parametrize("batch_size", [None, 64, 1000])
def test_one_pass_is_exact(batch_size):
    model, x = net(), images()
    weights = [array(v) for v in model.trainable_variables]
    assert recalibrate_batch_norm(model, x, batch_size) == 2
    for name in ("first", "second"):
        values = input_of(model, name, x)
        axes = tuple(range(values.ndim - 1))
        layer = model.get_layer(name)
        np.testing.assert_allclose(
            array(layer.moving_mean), values.mean(axes), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(array(layer.moving_variance), values.var(axes), rtol=1e-4)
        assert layer.momentum == 0.99
    for v, before in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(array(v), before)


def test_batches_are_pooled():
    model, x = net(), images(70)
    recalibrate_batch_norm(model, x, 16)  # four whole batches; the last 6 images are left out
    values = input_of(model, "first", x[:64])
    first = model.get_layer("first")
    # The first norm sees the same input in any batch, so pooling is exact there.
    np.testing.assert_allclose(array(first.moving_mean), values.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(array(first.moving_variance), values.var((0, 1, 2)), rtol=1e-4)


def test_training_goes_on_as_before():
    model, x = net(), images()
    recalibrate_batch_norm(model, x)
    before = array(model.get_layer("first").moving_mean)
    model.compile("sgd", "mse")
    model.fit(x + 5, np.zeros((64, 4)), batch_size=64, verbose=0)
    moved = array(model.get_layer("first").moving_mean) - before
    conv = array(model.get_layer("conv").kernel)
    assert np.isfinite(conv).all()
    assert 0 < np.abs(moved).max() < 1  # one step of a moving average, not a jump to the batch
    assert "call" not in vars(model.get_layer("first"))  # its own again


def test_frozen_layers_stay():
    model = net()
    model.get_layer("first").trainable = False
    assert recalibrate_batch_norm(model, images()) == 1
    np.testing.assert_array_equal(array(model.get_layer("first").moving_mean), 0)


def test_failure_leaves_the_model_as_it_was():
    model, bad = net(), images()
    recalibrate_batch_norm(model, images())
    before = [array(v) for v in model.variables]
    bad[3] = np.nan
    with pytest.raises(ZooError, match="not finite"):
        recalibrate_batch_norm(model, bad)
    with pytest.raises(ZooError, match="at least one input"):
        recalibrate_batch_norm(model, bad[:0])
    with pytest.raises(Exception, match=r"."):
        recalibrate_batch_norm(model, np.zeros((2, 9, 9, 7), "float32"))
    for v, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(array(v), value)
    assert "call" not in vars(model.get_layer("first"))  # its own again


def test_callback_recalibrates_after_the_last_step():
    model, x = net(), images()
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((64, 4)), verbose=0, callbacks=[BatchNormRecalibration(x)])
    values = input_of(model, "second", x)
    np.testing.assert_allclose(
        array(model.get_layer("second").moving_mean), values.mean(0), rtol=1e-4, atol=1e-5
    )


def test_layers_inside_a_stage_of_many_blocks(monkeypatch):
    """Exact: in inference the recalibrated net gives what the batch's own statistics give."""
    if keras.backend.backend() != "torch":  # which has no loops
        monkeypatch.setattr(repeat, "LOOP_FROM", (2, 2))
    model = zoo.create("resnet32", width=2, input_shape=(8, 8, 3), activation=None)
    x = np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("float32")
    assert recalibrate_batch_norm(model, x) == 31
    inference = array(model(x, training=False))
    np.testing.assert_allclose(inference, array(model(x, training=True)), atol=2e-3)


@pytest.mark.parametrize("batches", [iter, lambda x: [x][0:0], lambda x: {"image": x}])
def test_refuses_what_is_no_array_before_the_training(batches):
    with pytest.raises(ZooError, match=r"needs an array|at least one input"):
        BatchNormRecalibration(batches(images(4)))


def test_refuses_a_dataset_before_the_training():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(images(8)).batch(4)
    with pytest.raises(ZooError, match=r"tf\.data\.Dataset take one large batch.*Received: _Batch"):
        BatchNormRecalibration(dataset)
    taken = next(iter(dataset.unbatch().batch(512)))
    assert BatchNormRecalibration(taken).inputs.shape == (8, 4, 4, 2)


def test_refuses_another_shape_before_the_first_step():
    model, x = net(), images()
    model.compile("sgd", "mse")
    before = [array(v) for v in model.trainable_variables]
    with pytest.raises(ZooError, match=r"\(None, 4, 4, 2\)\. Received: \(8, 5, 4, 2\)"):
        model.fit(
            x,
            np.zeros((64, 4)),
            verbose=0,
            callbacks=[BatchNormRecalibration(np.zeros((8, 5, 4, 2)))],
        )
    for v, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(array(v), value)


def test_batch_size_of_numpy():
    assert recalibrate_batch_norm(net(), images(8), np.int64(4)) == 2
    with pytest.raises(ZooError, match="batch_size must be an integer of at least 1"):
        BatchNormRecalibration(images(4), batch_size=0)
