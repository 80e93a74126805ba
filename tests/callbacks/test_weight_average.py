import contextlib

import keras
import numpy as np
import pytest

import zoo
from tests.support.fresh import run_python
from tests.support.helpers import array
from zoo.callbacks import WeightAverage
from zoo.errors import ZooError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(3, 2, (32, 4)).astype("float32"), RNG.integers(0, 3, 32)


def net(**compile_args):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, use_bias=False),
            zoo.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(zoo.optimizers.SGD(0.1, momentum=0.9), loss, **compile_args)
    return model


def fit(model, average, epochs=1, *others):
    model.fit(
        X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[average, *others]
    )


def values(variables):
    return [array(v) for v in variables]


class Record(keras.callbacks.Callback):
    """The weights at the start and after every batch."""

    def on_train_begin(self, logs=None):
        self.weights = [values(self.model.weights)]

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.weights.append(values(self.model.weights))


def expected(recorded, decay, every):
    average = recorded[0]
    for n, weights in enumerate(recorded[every::every]):
        d = min(decay**every, (1 + n) / (10 + n))
        average = [d * a + (1 - d) * w for a, w in zip(average, weights, strict=True)]
    return average


@pytest.mark.parametrize(("decay", "every"), [(0.999, 1), (0.9, 3), (0.15, 1)])
def test_closed_formula(decay, every):
    model, average, record = net(), WeightAverage(decay, every, apply_at_end=False), Record()
    fit(model, average, 1, record)
    *averages, counts = average.variables
    wanted = expected(record.weights, decay, every)
    assert len(averages) == len(model.weights) == 7  # moving mean and variance among them
    for ours, theirs, weight in zip(averages, wanted, model.weights, strict=True):
        np.testing.assert_allclose(array(ours), theirs, rtol=1e-5, atol=1e-6)
        assert np.abs(array(ours) - array(weight)).max() > 1e-4
    np.testing.assert_array_equal(array(counts), [8 // every, 8 % every])


def test_statistics_of_batch_norm_are_averaged():
    model, average = net(), WeightAverage(0.5)
    fit(model, average)
    norm = model.layers[1]
    (mean,) = [a for a in average.variables if a.name.endswith("moving_mean")]
    np.testing.assert_array_equal(array(norm.moving_mean), array(mean))
    assert np.abs(array(mean)).max() > 0.1


def test_the_first_weights_are_forgotten():
    """With the warm-up, their share falls far below decay ** n."""
    model, average = net(), WeightAverage(0.9999, apply_at_end=False)
    average.set_model(model)
    first = array(model.layers[0].kernel)
    average.on_train_begin()
    np.testing.assert_array_equal(array(average.variables[0]), first)
    model.set_weights([np.zeros(v.shape, "float32") for v in model.weights])
    for batch in range(20):
        average.on_train_batch_begin(batch)
        average.on_train_batch_end(batch)
    share = np.prod([(1 + n) / (10 + n) for n in range(20)])
    assert share < 1e-6
    np.testing.assert_allclose(array(average.variables[0]), share * first, rtol=1e-3, atol=1e-12)


def test_swap_gives_the_weights_back_bit_for_bit():
    model, average = net(), WeightAverage(0.9, apply_at_end=False)
    fit(model, average)
    before, averaged = values(model.weights), values(average.variables[:-1])
    with average.swap():
        for weight, value in zip(model.weights, averaged, strict=True):
            np.testing.assert_array_equal(array(weight), value)
        inside = model.evaluate(X, Y, verbose=0)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), value)
    assert inside != model.evaluate(X, Y, verbose=0)

    with pytest.raises(KeyError), average.swap():
        raise KeyError
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), value)


def test_swapping_within_fit_changes_nothing():
    """Evaluating the average at the end of each epoch leaves the training as it is."""

    class Evaluate(keras.callbacks.Callback):
        def __init__(self, context):
            super().__init__()
            self.context = context

        def on_epoch_end(self, epoch, logs=None):
            with self.context():
                self.model.evaluate(X, Y, verbose=0)

    results = []
    for swapped in (False, True):
        keras.utils.set_random_seed(1)
        model, average = net(), WeightAverage(0.9, apply_at_end=False)
        fit(model, average, 3, Evaluate(average.swap if swapped else contextlib.nullcontext))
        results.append(values([*model.weights, *average.variables]))
    for plain, swapped in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, swapped)


def test_fit_in_pieces_and_in_another_callback():
    """Three epochs at once, one by one, and by a second callback with restored variables."""

    def train(pieces, renew):
        keras.utils.set_random_seed(1)
        model = net()
        average = WeightAverage(0.9, 3, apply_at_end=False)  # 8 batches: pieces end between updates
        for epochs in pieces:
            fit(model, average, epochs)
            if renew:
                saved = [keras.ops.convert_to_numpy(v.value) for v in average.variables]
                average = WeightAverage(0.9, 3, apply_at_end=False)
                average.set_model(model)
                for variable, value in zip(average.variables, saved, strict=True):
                    variable.assign(value)
        return values([*model.weights, *average.variables])

    whole = train([3], renew=False)
    for other in (train([1, 2], renew=False), train([1, 1, 1], renew=True)):
        for ours, theirs in zip(whole, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_average_is_applied_at_the_end():
    model, average = net(), WeightAverage(0.9)
    fit(model, average)
    for weight, value in zip(model.weights, average.variables, strict=False):
        np.testing.assert_array_equal(array(weight), array(value))
    fit(model, average)  # the memory of the average is still its own
    assert np.isfinite(array(average.variables[0])).all()


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="has no steps_per_execution")
def test_several_steps_per_execution():
    model = net(steps_per_execution=4)
    average = WeightAverage(0.9, every=2, apply_at_end=False)
    fit(model, average)
    np.testing.assert_array_equal(array(average.variables[-1]), [2, 0])  # 8 batches in 2 calls


def test_kept_in_float32_and_without_integers():
    class Counter(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), dtype="int32", trainable=False)

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), Counter()])
    average = WeightAverage()
    average.set_model(model)
    assert [tuple(v.shape) for v in average.variables] == [(4, 2), (2,), (2,)]

    half = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="bfloat16")])
    average.set_model(half)
    assert [v.dtype for v in average.variables] == ["float32", "float32", "int32"]
    before = values(half.weights)
    with average.swap():
        assert half.weights[0].dtype == "bfloat16"
    np.testing.assert_array_equal(before[0], array(half.weights[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay": 1.0}, r"decay must be a number in \(0, 1\). Received: decay=1.0"),
        ({"decay": float("nan")}, "decay must be"),
        ({"every": 0}, "every must be an integer of at least 1. Received: every=0"),
        ({"every": 1.5}, "every must be"),
        ({"every": True}, "every must be"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ZooError, match=message):
        WeightAverage(**arguments)


def test_needs_a_built_model():
    with pytest.raises(ZooError, match=r"needs a built model.*Received: model=None"):
        _ = WeightAverage().variables
    average = WeightAverage()
    average.set_model(keras.Sequential([keras.layers.Dense(2)], name="open"))
    with pytest.raises(ZooError, match="Received: model='open'"):
        average.apply()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
def test_on_two_devices_as_on_one():
    code = """
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import tests.callbacks.test_weight_average as t
from zoo.callbacks import WeightAverage
cross = tf.distribute.ReductionToOneDevice()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=cross)
results = []
for scope in (tf.device("CPU:0"), strategy.scope()):
    keras.utils.set_random_seed(0)
    with scope:
        inputs = keras.Input((4,))
        x = keras.layers.BatchNormalization(synchronized=True)(keras.layers.Dense(5)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(3)(x))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss)
    average = WeightAverage(0.9, apply_at_end=False)
    t.fit(model, average)
    before = t.values(model.weights)
    with average.swap():
        model.evaluate(t.X, t.Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, t.values(model.weights)))
    results.append(t.values(average.variables))
for a, b in zip(*results):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr[-2000:]
