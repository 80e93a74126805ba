import keras
import numpy as np
import pytest

from tests.support.fresh import run_python
from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.optimizers import SGD

FACTORS = {"body": 1.0, "slow": 6 / 23, "head": 5.0}
MULTIPLIERS = {"head/*": 5.0, "slow/*": 6 / 23}


def net():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4,))
    for name in FACTORS:
        x = keras.layers.Dense(4, "tanh", name=name)(x)
    return keras.Model(inputs, x)


def data(n=8):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)).astype("float32"), rng.normal(size=(n, 4)).astype("float32")


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor."""

    def __init__(self, schedule, factor):
        self.schedule, self.factor = schedule, factor

    def __call__(self, step):
        return self.schedule(step) * self.factor


def constant():
    return 0.02


def cosine():
    return keras.optimizers.schedules.CosineDecay(0.0, 6, warmup_target=0.05, warmup_steps=2)


@pytest.mark.parametrize(
    ("rate", "options"),
    [
        (constant, {}),
        (constant, {"momentum": 0.9, "clipvalue": 0.5}),
        (constant, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        (cosine, {"momentum": 0.9, "weight_decay": 0.1}),
    ],
)
def test_equals_plain_sgd_at_the_rate_of_each_variable(rate, options):
    """Each variable against an SGD of Keras that moves it alone."""
    start, rng = net(), np.random.default_rng(1)
    ours = SGD(rate(), multipliers=MULTIPLIERS, **options)
    pairs = []
    for variable in start.trainable_variables:
        factor = FACTORS[variable.path.split("/")[0]]
        scaled = rate() * factor if rate is constant else Rate(rate(), factor)
        copy = keras.Variable(array(variable), name="copy")
        pairs.append((variable, copy, keras.optimizers.SGD(scaled, **options)))
    for _ in range(5):
        gradients = [
            keras.ops.convert_to_tensor(rng.normal(size=v.shape).astype("float32"))
            for v in start.trainable_variables
        ]
        ours.apply(gradients, start.trainable_variables)
        for (_, copy, plain), gradient in zip(pairs, gradients, strict=True):
            plain.apply([gradient], [copy])
    for variable, copy, _ in pairs:
        np.testing.assert_allclose(
            array(variable), array(copy), rtol=1e-5, atol=1e-6, err_msg=variable.path
        )


def fit(model, optimizer, epochs=3):
    model.compile(optimizer, "mse")
    model.fit(*data(), batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return [array(v) for v in model.trainable_variables]


def test_in_fit_with_a_reported_rate_and_a_frozen_part():
    model = net()
    before = array(model.get_layer("body").kernel)
    slow = array(model.get_layer("slow").kernel)
    optimizer = SGD(0.1, momentum=0.9, multipliers={"body/*": 0.0, "*": 2.0})
    fit(model, optimizer)
    np.testing.assert_array_equal(array(model.get_layer("body").kernel), before)
    assert np.abs(array(model.get_layer("slow").kernel) - slow).max() > 1e-4
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    # All by the same factor: SGD at the doubled rate.
    for a, b in zip(
        fit(net(), SGD(0.1, momentum=0.9, multipliers={"*": 2.0})),
        fit(net(), keras.optimizers.SGD(0.2, momentum=0.9)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_first_matching_pattern_wins():
    results = [
        fit(net(), SGD(0.1, multipliers=multipliers))
        for multipliers in ({"head/*": 3.0, "head/kernel": 9.0}, {"head/*": 3.0})
    ]
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_resumes_exactly_from_a_saved_model(tmp_path):
    whole = fit(net(), SGD(cosine(), momentum=0.9, multipliers=MULTIPLIERS), epochs=3)
    model = net()
    fit(model, SGD(cosine(), momentum=0.9, multipliers=MULTIPLIERS), epochs=1)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert type(again.optimizer) is SGD
    assert again.optimizer.multipliers == MULTIPLIERS
    again.fit(*data(), batch_size=4, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(whole, (array(v) for v in again.trainable_variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_config():
    optimizer = SGD(0.02, momentum=0.9, nesterov=True, multipliers=MULTIPLIERS)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is SGD
    assert again.get_config() == optimizer.get_config()
    assert list(again.multipliers) == list(MULTIPLIERS)


def test_bad_multipliers():
    for factor in (-1.0, float("nan"), float("inf"), "2", None, True):
        with pytest.raises(ZooError, match=r"at least 0\. Received"):
            SGD(0.1, multipliers={"head/*": factor})
    with pytest.raises(ZooError, match=r"'haed/\*' matches none of the 6 .*body/kernel"):
        SGD(0.1, multipliers={"haed/*": 2.0}).build(net().trainable_variables)


REPLICAS = """
import numpy as np, tensorflow as tf, keras, zoo
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 4))
def run():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(4, name="head")(inputs))
    rates = {"head/kernel": 3.0}
    model.compile(zoo.optimizers.SGD(0.1, 0.9, weight_decay=0.1, multipliers=rates), "mse")
    model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    return [v.numpy() for v in model.trainable_variables]
one = run()
strategy = tf.distribute.MirroredStrategy(
    ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
)
with strategy.scope():
    two = run()
assert strategy.num_replicas_in_sync == 2
for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.release
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow")
def test_equal_on_two_replicas():
    done = run_python(REPLICAS)
    assert done.returncode == 0, done.stderr[-2000:]
