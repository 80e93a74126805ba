"""1202 layers; that 2402 build is in test_golden.py."""

import keras
import numpy as np
import pytest

import zoo

pytestmark = [pytest.mark.once, pytest.mark.release]


def test_1202_layers_take_a_training_step():
    options = {"width": 1, "input_shape": (4, 4, 3), "weight_decay": 0.0}
    model = zoo.create("resnet1202_lastbn", **options)
    deepest = [v for v in model.variables if v.path.startswith("stage3/block200/")]
    before = [keras.ops.convert_to_numpy(v) for v in deepest]
    model.compile(
        keras.optimizers.SGD(0.1),
        "sparse_categorical_crossentropy",
        jit_compile=keras.backend.backend() == "jax",
    )
    # On TensorFlow, Keras would trace the step twice to make these variables within it.
    model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(4, 4, 4, 3)).astype("float32")
    loss = model.train_on_batch(x, np.arange(4))
    assert np.isfinite(loss)
    for v, old in zip(deepest, before, strict=True):
        assert not np.array_equal(keras.ops.convert_to_numpy(v), old), v.path
