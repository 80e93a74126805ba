"""Building without values: no initializer of a loaded weight runs, and nothing else changes."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import images, make_checkpoint, predict
from tests.support.helpers import array
from zoo.checkpoint import load_checkpoint
from zoo.initializers import Orthonormal
from zoo.models import deferred
from zoo.registry import variants


@pytest.fixture
def calls(monkeypatch):
    """Shapes that initializers of kernels were called with."""
    shapes = []
    for kind in (Orthonormal, keras.initializers.VarianceScaling):
        real = kind.__call__

        def counted(self, shape, *args, _real=real, **kwargs):
            shapes.append(tuple(shape))
            return _real(self, shape, *args, **kwargs)

        monkeypatch.setattr(kind, "__call__", counted)
    return shapes


def test_this_keras_defers():
    assert deferred._works()


def test_no_initializer_runs(tmp_path, calls):
    args = {"input_shape": [8, 8, 3], "width": 4, "num_classes": 3}  # orthonormal kernels
    make_checkpoint(tmp_path, "plainnet20", args=args)
    assert len(calls) >= 20
    calls.clear()
    load_checkpoint(tmp_path)
    assert calls == []
    load_checkpoint(tmp_path, num_classes=2)
    assert set(calls) == {(16, 2)}


def test_the_plain_way_gives_the_same(tmp_path, monkeypatch, calls):
    make_checkpoint(tmp_path)
    fast = load_checkpoint(tmp_path)
    monkeypatch.setattr(deferred, "_works", lambda: False)
    calls.clear()
    plain = load_checkpoint(tmp_path)
    assert len(calls) == 4
    np.testing.assert_array_equal(predict(fast), predict(plain))
    assert [v.path for v in fast.variables] == [v.path for v in plain.variables]
    assert [v.trainable for v in fast.variables] == [v.trainable for v in plain.variables]
    tuned = load_checkpoint(tmp_path, num_classes=2)
    assert predict(tuned).shape == (4, 2)


@pytest.mark.parametrize(
    "family", sorted({v.family.__name__ for v in variants("classification").values()})
)
def test_every_family_can_be_deferred(family):
    variant = min(
        (v for v in variants("classification").values() if v.family.__name__ == family), key=_depth
    )
    model = deferred.build_without_values(lambda: zoo.create(variant.name))
    assert all(v._value is None for v in model.variables)
    count = model.count_params()
    again = deferred.build_without_values(lambda: zoo.create(variant.name), most=count)
    assert again.count_params() == count
    with pytest.raises(deferred.TooManyWeights):
        deferred.build_without_values(lambda: zoo.create(variant.name), most=count - 1)


def _depth(variant):
    return variant.fixed.get("depth", 0)


@pytest.mark.parametrize("writeable", [True, False])
@pytest.mark.parametrize("shift", [0, 1])
def test_shared_memory_is_never_mixed_up(shift, writeable):
    """Arrays that lie side by side, on and off the boundaries where no copy is made, and of memory
    that may not be written: after training, the model is the same as with arrays of its own."""
    rng = np.random.default_rng(0)

    def create():
        inputs = keras.Input((16,))
        x = keras.layers.Dense(16, activation="tanh", name="a")(inputs)
        return keras.Model(inputs, keras.layers.Dense(4, name="b")(x))

    plain = create()
    memory = np.empty(4 * 1024, "uint8")
    values = memory[-memory.ctypes.data % 64 :][:2048].view("float32")[shift:]
    values[:] = rng.normal(size=values.shape)
    arrays, at = {}, 0
    for v in plain.weights:
        size = int(np.prod(v.shape))
        arrays[v.path] = values[at : at + size].reshape(tuple(v.shape))
        arrays[v.path].flags.writeable = writeable
        at += size
    plain.set_weights([arrays[v.path].copy() for v in plain.weights])
    shared = deferred.build_without_values(create)
    deferred.fill(shared, arrays)
    x, y = rng.normal(size=(8, 16)).astype("float32"), rng.normal(size=(8, 4)).astype("float32")
    for model in (plain, shared):
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
        model.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0)
    del arrays, values, memory
    for mine, other in zip(shared.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(array(mine), array(other))


def test_random_states_start(monkeypatch):
    def create():
        inputs = keras.Input((8,))
        x = keras.layers.Dense(8, name="dense")(inputs)
        return keras.Model(inputs, keras.layers.Dropout(0.5, seed=3, name="drop")(x))

    model = deferred.build_without_values(create)
    arrays = {"dense/kernel": np.eye(8, dtype="float32"), "dense/bias": np.zeros(8, "float32")}
    deferred.fill(model, arrays)
    plain = create()
    plain.set_weights([arrays[v.path] for v in plain.weights])
    x = keras.ops.ones((4, 8))
    expected = np.asarray(keras.ops.convert_to_numpy(plain(x, training=True)))
    actual = np.asarray(keras.ops.convert_to_numpy(model(x, training=True)))
    np.testing.assert_array_equal(actual, expected)
    assert (actual == 0).any()


def test_random_state_of_keras_itself_is_not_left_without_value():
    from keras.src.backend.common import global_state

    class Noise(keras.layers.Layer):
        def build(self, _):
            keras.random.normal((1,))
            self.built = True

        def call(self, x):
            return x

    keras.utils.clear_session()
    inputs = keras.Input((2,))
    try:
        model = deferred.build_without_values(lambda: keras.Model(inputs, Noise()(inputs)))
        deferred.fill(model, {})
        assert not global_state.get_global_attribute("uninitialized_variables")
        keras.random.normal((1,))
    finally:
        keras.utils.clear_session()


def test_other_models_are_left_alone(tmp_path):
    make_checkpoint(tmp_path)
    bystander = zoo.create("maxnorm_mlp3", units=3)
    before = [np.asarray(keras.ops.convert_to_numpy(v.value)) for v in bystander.weights]
    load_checkpoint(tmp_path)
    with pytest.raises(ZeroDivisionError):
        deferred.build_without_values(lambda: 1 // 0)
    later = zoo.create("maxnorm_mlp3", units=3)
    assert all(v._value is not None for v in later.variables)
    for old, v in zip(before, bystander.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(keras.ops.convert_to_numpy(v.value)))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's own view")
def test_torch_sees_the_parameters(tmp_path):
    model, _ = make_checkpoint(tmp_path)
    again = load_checkpoint(tmp_path)
    assert model.state_dict().keys() == again.state_dict().keys()
    parameters = dict(again.named_parameters())
    assert parameters.keys() == dict(model.named_parameters()).keys()
    assert {id(p) for p in parameters.values()} == {id(v.value) for v in again.variables}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_inside_a_strategy(tmp_path):
    import tensorflow as tf

    model, _ = make_checkpoint(tmp_path)
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope():
        again = load_checkpoint(tmp_path)
    for v in again.trainable_variables:
        assert isinstance(v.value, tf.distribute.DistributedValues)
    np.testing.assert_array_equal(predict(model), predict(again))
    again.compile("sgd", "sparse_categorical_crossentropy")
    again.fit(images(again), np.array([0, 1, 2, 0]), verbose=0)
