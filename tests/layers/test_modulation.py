import keras
import numpy as np
import pytest

from tests.support.fresh import run_python
from tests.support.helpers import array, weight_gradients
from zoo.errors import ZooError
from zoo.layers import Modulation, ModulationSource

WIDTHS = (6, 5, 4, 3)
NAMES = [f"unit{i}" for i in range(len(WIDTHS))]


def chain(modulation=True, widths=WIDTHS, policy=None):
    """Dense - tanh units, with a point behind each, and a dense head."""
    x = inputs = keras.Input((4,))
    if modulation:
        token = ModulationSource(NAMES[: len(widths)], name="modulation", dtype=policy)(inputs)
    for i, width in enumerate(widths):
        x = keras.layers.Dense(width, "tanh", name=f"unit{i}", dtype=policy)(x)
        if modulation:
            x, token = Modulation(i, name=f"unit{i}_mod", dtype=policy)([x, token])
    return keras.Model(inputs, keras.layers.Dense(2, name="head", dtype="float32")(x))


def pair(steps=0, band=1.0):
    """A modulated chain and the plain one with its weights, the same on every backend."""
    model, plain = chain(), chain(modulation=False)
    rng = np.random.default_rng(1)
    for variable in plain.variables:
        variable.assign(rng.normal(size=variable.shape) / 2)
    take(model, plain)
    switch(model, steps, band)
    return model, plain


def take(model, other):
    """The weights of the other model that both have."""
    mine = {v.path: v for v in model.variables}
    for variable in other.variables:
        if variable.path in mine:
            mine[variable.path].assign(array(variable))


def switch(model, steps, band):
    source = model.get_layer("modulation")
    source.steps_left.assign(steps)
    source.band.assign(band)


def data(n=8):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)).astype("float32"), rng.normal(size=(n, 2)).astype("float32")


def gradients(model, scale=1.0):
    """Of a loss whose gradient at the output is `scale` times data()[1]."""
    x, errors = data()

    def loss():
        y = model(x, training=True)
        return keras.ops.sum(y * keras.ops.convert_to_tensor(errors * np.float32(scale)))

    return weight_gradients(model, loss)


def reference(model, band):
    """Gradients of `gradients(model)` in NumPy, and (moment as it arrived, as handed down)."""
    signals, errors = [data()[0].astype("float64")], data()[1].astype("float64")
    weights = {v.path: array(v) for v in model.variables}
    for name in NAMES:
        signals.append(np.tanh(signals[-1] @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]))
    found = {"head/kernel": signals[-1].T @ errors, "head/bias": errors.sum(0)}
    errors, moments, above = errors @ weights["head/kernel"].T, [], None
    for i, name in reversed(list(enumerate(NAMES))):
        arrived = (errors**2).mean()
        rho = np.sqrt(above / arrived) if above else 1.0
        if not 1 / band <= rho <= band:
            errors = errors * rho
        above = (errors**2).mean()
        moments.insert(0, (arrived, above))
        errors = errors * (1 - signals[i + 1] ** 2)
        found[f"{name}/kernel"], found[f"{name}/bias"] = signals[i].T @ errors, errors.sum(0)
        errors = errors @ weights[f"{name}/kernel"].T
    return found | {"modulation/moments": np.array(moments)}


@pytest.mark.parametrize("band", [1.0, 1.6, 1e9])
def test_equals_numpy(band):
    model, _ = pair(steps=1, band=band)
    expected = reference(model, band)
    found = gradients(model)
    assert set(found) == set(expected)
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, rtol=1e-3, atol=1e-5, err_msg=path)
    arrived, handed = found["modulation/moments"].T
    acted = np.abs(handed / arrived - 1) > 1e-3
    # The reference rescales at all points below the highest, at some, at none.
    assert {1.0: 3, 1.6: 2, 1e9: 0}[band] == acted.sum()
    # Where it acts, the moment becomes that of the point above.
    np.testing.assert_allclose(handed[:-1][acted[:-1]], handed[1:][acted[:-1]], rtol=1e-4)


def test_forward_is_the_identity():
    model, plain = pair(steps=9)
    x = data()[0]
    for training in (False, True):
        np.testing.assert_array_equal(
            array(model(x, training=training)), array(plain(x, training=training))
        )


@pytest.mark.parametrize(("steps", "band"), [(0, 1.0), (1, 1e9)])
def test_off_or_inside_the_band_errors_pass_bit_by_bit(steps, band):
    model, plain = pair(steps, band)
    found, expected = gradients(model), gradients(plain)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    assert (found["modulation/moments"] > 0).all()  # recorded all the same


def test_the_scale_of_the_loss_does_not_matter():
    model, _ = pair(steps=9, band=1.2)
    one, many = gradients(model), gradients(model, scale=2.0**15)
    for path, value in one.items():
        scale = 2.0 ** (30 if path == "modulation/moments" else 15)
        np.testing.assert_allclose(many[path] / scale, value, rtol=1e-4, atol=1e-8)


def test_moments_of_zero_or_beyond_float32_change_nothing():
    for scale in (0.0, 1e-30, 1e25):
        model, plain = pair(steps=1)
        found, expected = gradients(model, scale), gradients(plain, scale)
        for path, value in expected.items():
            np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_non_finite_errors_are_not_hidden(scale):
    model, _ = pair(steps=1)
    for path, value in gradients(model, scale).items():
        assert not np.isfinite(value).all(), path


def test_a_point_without_error_is_no_reference():
    """The error enters below the higher points, as from an output in the middle."""
    model, plain = (keras.Model(net.input, net.get_layer("unit2").output) for net in pair(steps=1))
    weight = keras.ops.convert_to_tensor(data()[0])

    def loss(net):
        return lambda: keras.ops.sum(net(data()[0], training=True) * weight)

    found, expected = (weight_gradients(net, loss(net)) for net in (model, plain))
    arrived, handed = found["modulation/moments"].T
    assert (arrived[2:] == 0).all()
    # unit1 is the highest that receives an error, and so the reference.
    np.testing.assert_array_equal(found["unit1/kernel"], expected["unit1/kernel"])
    np.testing.assert_allclose(handed[:2], arrived[1], rtol=1e-4)


def test_convolutions_get_equal_moments_over_batch_and_positions():
    x = inputs = keras.Input((6, 6, 2))
    token = ModulationSource(NAMES, name="modulation")(inputs)
    for i, strides in enumerate((1, 2, 1, 1)):
        x = keras.layers.Conv2D(4, 3, strides, "same", activation="relu")(x)
        x, token = Modulation(i, name=f"mod{i}")([x, token])
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    switch(model, 1, 1.0)
    images = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype("float32")
    found = weight_gradients(model, lambda: keras.ops.sum(model(images, training=True)))
    arrived, handed = found["modulation/moments"].T
    # The mean of 4 channels at 3 * 3 positions.
    np.testing.assert_allclose(arrived[-1], (1 / 9) ** 2, rtol=1e-4)
    np.testing.assert_allclose(handed, arrived[-1], rtol=1e-4)
    assert arrived.max() / arrived.min() > 1.5


def test_steps_count_down_to_plain_training():
    """Two steps with modulation, then none: under jit, and with steps compiled together."""
    x, y = data(24)
    for options in ({}, {"steps_per_execution": 3}, {"jit_compile": True}):
        if options and keras.backend.backend() == "torch":
            continue  # PyTorch knows neither
        (model, plain), (whole, _) = pair(steps=2), pair(steps=2)
        whole.compile(keras.optimizers.SGD(0.1), "mse", **options)
        whole.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        assert float(array(whole.get_layer("modulation").steps_left)) == 0
        # The same six steps by hand: two with the modulated net, four with the plain one.
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x[:8], y[:8], batch_size=4, shuffle=False, verbose=0)
        take(plain, model)
        plain.compile(keras.optimizers.SGD(0.1), "mse")
        plain.fit(x[8:], y[8:], batch_size=4, shuffle=False, verbose=0)
        weights = {v.path: array(v) for v in whole.variables}
        for variable in plain.trainable_variables:
            np.testing.assert_allclose(
                weights[variable.path], array(variable), rtol=1e-4, atol=1e-6
            )


def test_inference_and_evaluation_take_no_step():
    model, _ = pair(steps=5)
    model.compile("sgd", "mse")
    model.predict(data()[0], verbose=0)
    model.evaluate(*data(), verbose=0)
    assert float(array(model.get_layer("modulation").steps_left)) == 5
    assert (array(model.get_layer("modulation").moments) == 0).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    model = chain(policy=policy)
    switch(model, 9, 1.0)
    model.compile("sgd", "mse")
    model.fit(*data(), verbose=0)
    for variable in model.get_layer("modulation").variables:
        assert variable.dtype == "float32"
    arrived, handed = array(model.get_layer("modulation").moments).T
    np.testing.assert_allclose(handed, arrived[-1], rtol=1e-3)
    assert np.isfinite(arrived).all()
    assert (arrived > 0).all()


def test_cloned_and_loaded_in_a_fresh_process(tmp_path):
    model, _ = pair(steps=5, band=1.3)
    model.save(tmp_path / "m.keras")
    done = run_python(
        "import sys, keras, numpy as np, zoo\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "source = model.get_layer('modulation')\n"
        "assert source.points == ['unit0', 'unit1', 'unit2', 'unit3']\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(np.ones((8, 4)), np.ones((8, 2)), batch_size=4, verbose=0)\n"
        "assert float(keras.ops.convert_to_numpy(source.steps_left)) == 3\n"
        "moments = keras.ops.convert_to_numpy(source.moments)\n"
        "assert (moments[:, 1] <= moments[-1, 1] * 1.3 ** 6).all() and (moments > 0).all()\n",
        str(tmp_path / "m.keras"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    found = gradients(clone)
    for path, value in gradients(model).items():
        np.testing.assert_allclose(found[path], value, rtol=1e-4, atol=1e-7)


REPLICAS = """
import numpy as np, keras, zoo
from zoo.layers import Modulation, ModulationSource
rng = np.random.default_rng(0)
x, y = rng.normal(size=(16, 4)), rng.normal(size=(16, 2))
x[::2] *= 5  # replicas see different errors
def run():
    keras.utils.set_random_seed(0)
    h = inputs = keras.Input((4,))
    token = ModulationSource(["a", "b", "c"], name="modulation")(inputs)
    for i in range(3):
        h, token = Modulation(i, name=f"mod{i}")([keras.layers.Dense(4, "tanh")(h), token])
    model = keras.Model(inputs, keras.layers.Dense(2)(h))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = zoo.callbacks.ModulationCallback(first_steps=3, band=1.2)
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[callback])
    assert sum(callback.history[0][p] > 1.2 for p in "ab") > 0, callback.history
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}
one = run()
"""

TWO = {
    "tensorflow": """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
REPLICAS
strategy = tf.distribute.MirroredStrategy(
    ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
)
with strategy.scope():
    two = run()
""",
    "jax": """
REPLICAS
import jax
assert len(jax.devices()) == 2
keras.distribution.set_distribution(keras.distribution.DataParallel())
two = run()
""",
}


@pytest.mark.release
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one device only")
def test_equal_on_two_devices():
    code = TWO[keras.backend.backend()].replace("REPLICAS", REPLICAS) + (
        "for a, b in zip(one.values(), two.values(), strict=True):\n"
        "    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)\n"
    )
    done = run_python(code, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert done.returncode == 0, done.stderr[-2000:]


def test_bad_arguments():
    for points in ([], "unit", ["a", "a"], [1]):
        with pytest.raises(ZooError, match="distinct names"):
            ModulationSource(points)
    token = ModulationSource(["a", "b"])(keras.Input((4,)))
    with pytest.raises(ZooError, match=r"from 0 to 1.*index=2"):
        Modulation(2)([keras.Input((4,)), token])
    for index in (-1, 0.5, True, "conv1"):
        with pytest.raises(ZooError, match="index must be an integer of at least 0"):
            Modulation(index)
    assert type(Modulation(np.int64(1)).get_config()["index"]) is int
