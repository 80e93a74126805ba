"""A monitor on two devices: the history of one device."""

import keras
import pytest

from tests.support.fresh import run_python

COMMON = """
import keras
import numpy as np
from keras import layers

from zoo.callbacks import SignalMonitor, signal_monitor

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((32, 6, 6, 2)).astype("float32"), np.arange(32) % 3

def history():
    keras.utils.set_random_seed(0)
    norm = layers.BatchNormalization(synchronized=keras.backend.backend() == "tensorflow")
    conv, dense = layers.Conv2D(4, 3, name="conv"), layers.Dense(3, name="dense")
    net = keras.Sequential(
        [keras.Input((6, 6, 2)), conv, norm, layers.ReLU(), layers.Flatten(), dense]
    )
    # Of the two kinds of losses, Keras divides the object's by the number of replicas.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    # 7 images, which two devices do not divide.
    monitor = SignalMonitor(X[:7], Y[:7], list(signal_monitor.SIGNALS), every=1, budget=None)
    net.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0, callbacks=[monitor])
    return monitor.history

def check(found, expected):
    assert list(found) == list(expected) == [0, 1, 2, 3, 4]
    for step, values in expected.items():
        assert found[step].keys() == values.keys()
        for key, value in values.items():
            # A mean of positive and negative numbers is as exact as they are.
            atol = 1e-6 if key.startswith("output/mean") else 0
            np.testing.assert_allclose(
                found[step][key], value, rtol=1e-5, atol=atol, err_msg=f"{step} {key}"
            )
"""
TWO = {
    "tensorflow": """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
one = history()
strategy = tf.distribute.MirroredStrategy(
    ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
)
assert strategy.num_replicas_in_sync == 2
with strategy.scope():
    check(history(), one)
""",
    "jax": """
import jax
assert len(jax.devices()) == 2
one = history()
keras.distribution.set_distribution(keras.distribution.DataParallel())
check(history(), one)
""",
}


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one device only")
def test_equal_on_two_devices():
    code = COMMON + TWO[keras.backend.backend()]
    done = run_python(code, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert done.returncode == 0, done.stderr[-2000:]
