import math

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, weight_gradients
from zoo.layers import ResidualStage, repeat

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch compiles nothing: there is no loop"
)
NEVER = (math.inf, math.inf)
STAGES = {
    "bottleneck": {
        "bottleneck": True,
        "strides": 2,
        "order": "pre",
        "first": "pre_shared",
        "factory": {"nonlinearity": "crelu"},
    },
    "normprop2": {"factory": {"norm": "normprop2", "nonlinearity": "prelu"}},
}
JIT = {"tensorflow": [False, True], "jax": [True]}.get(keras.backend.backend(), [])


@pytest.fixture
def loops(monkeypatch):
    """Makes every stage of more than two blocks loop; counts the loops."""
    calls = []
    backend = keras.backend.backend()
    loop = repeat._LOOPS[backend]
    monkeypatch.setattr(repeat, "LOOP_FROM", (2, 2))
    monkeypatch.setitem(repeat._LOOPS, backend, lambda *a: calls.append(1) or loop(*a))
    return calls


def images(n=4):
    return np.random.default_rng(0).normal(size=(n, 6, 5, 4)).astype("float32")


def model_of(stage):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 5, 4))
    x = ResidualStage(4, 4, name="stage", **stage)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


def states(model):
    return {v.path: array(v) for v in model.variables}


def fit(model, jit, **options):
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=jit, **options)
    y = np.random.default_rng(1).normal(size=(4, *model.output_shape[1:])).astype("float32")
    model.fit(images(), y, batch_size=4, epochs=2, verbose=0)
    return states(model)


def assert_near(got, expected, tolerance):
    assert got.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(got[path], value, atol=tolerance, rtol=tolerance, err_msg=path)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_loop_equals_layer_by_layer(stage, loops, monkeypatch):
    model, x = model_of(stage), images()
    start = model.get_weights()

    def run():
        model.set_weights(start)
        gradients = weight_gradients(model, lambda: ops.sum(model(x, training=True) ** 2))
        model(x, training=True)
        return gradients, states(model), {"y": array(model(x))}

    looped = run()
    assert len(loops) == 3
    monkeypatch.setattr(repeat, "LOOP_FROM", NEVER)
    plain = run()
    assert len(loops) == 3
    for got, expected in zip(looped, plain, strict=True):
        scale = max(np.abs(value).max() for value in expected.values())
        assert_near(got, expected, 1e-5 * max(scale, 1))


@pytest.mark.parametrize("jit", JIT)
def test_compiled_steps_equal(jit, loops, monkeypatch):
    looped = fit(model_of({}), jit)
    assert loops
    monkeypatch.setattr(repeat, "LOOP_FROM", NEVER)
    assert_near(looped, fit(model_of({}), jit), 1e-4)


def test_mixed_precision(loops, monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        x, half = images(), model_of({})
        looped = array(half(x, training=True))
        moved = states(half)
        monkeypatch.setattr(repeat, "LOOP_FROM", NEVER)
        plain = model_of({})
        expected = array(plain(x, training=True))
    finally:
        keras.config.set_dtype_policy("float32")
    assert loops == [1]
    np.testing.assert_allclose(looped, expected, atol=0.05 * np.abs(expected).max())
    assert {v.dtype for v in half.variables} == {"float32"}
    assert_near(moved, states(plain), 0.02)


@pytest.mark.parametrize(
    ("what", "policy"), [("stage", "mixed_bfloat16"), ("batch_norm", "float32")]
)
def test_what_is_frozen_stays_bit_equal(what, policy, loops):
    keras.config.set_dtype_policy(policy)
    try:
        model = model_of({})
    finally:
        keras.config.set_dtype_policy("float32")
    model(images(), training=True)  # moves the statistics away from 0 and 1
    stage = model.get_layer("stage")
    for layer in [stage] if what == "stage" else model._flatten_layers():
        if layer is stage or isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = what != "stage" and layer is stage
    y = keras.layers.Dense(2)(model.output)  # something to train
    model = keras.Model(model.input, y)
    before = states(model)
    after = fit(model, JIT[0])
    assert loops
    for path, value in before.items():
        if path.startswith("stage") and (what == "stage" or "norm" in path):
            np.testing.assert_array_equal(after[path], value, err_msg=path)
    changed = [p for p in before if not np.array_equal(after[p], before[p])]
    assert any(p.endswith("kernel") for p in changed)


def test_blocks_that_are_not_frozen_alike_go_one_by_one(loops):
    model = model_of({})
    model.get_layer("stage").blocks[2].trainable = False
    before = states(model)
    after = fit(model, JIT[0])
    assert not loops
    frozen = [path for path in before if "block3" in path]
    assert all(np.array_equal(before[path], after[path]) for path in frozen)
    assert not np.array_equal(
        before["stage/block2/conv1/kernel"], after["stage/block2/conv1/kernel"]
    )


def test_few_layers_are_no_loop(loops, monkeypatch):
    monkeypatch.setattr(repeat, "LOOP_FROM", (4, 3))
    model = model_of({})  # three blocks behind the first
    model(images(), training=True)
    assert not loops
    model(images(), training=False)
    assert loops == [1]
