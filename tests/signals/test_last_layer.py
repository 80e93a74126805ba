import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo.errors import ZooError
from zoo.signals.last_layer import last_layer_analysis

RNG = np.random.default_rng(0)


def net(**options) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, activation="relu", use_bias=False, name="body"),
            layers.Dense(3, name="head", **options),
        ]
    )


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_equal_to_the_matrices_written_out(activation):
    model = net(activation=activation)
    x, y = RNG.standard_normal((40, 6)).astype("float32"), RNG.integers(3, size=40)
    body, head = (np.asarray(ops.convert_to_numpy(d.kernel), "float64") for d in model.layers)
    hidden = np.maximum(x @ body, 0)
    logits = np.exp(hidden @ head)
    dh = logits / logits.sum(axis=1, keepdims=True) - np.eye(3)[y]
    gradients = np.einsum("ni,no->nio", hidden, dh).reshape(40, -1)
    found = last_layer_analysis(model, [(x[:30], y[:30]), (x[30:], y[30:])])
    assert found.layer == "head"
    assert found.input_lambda_max == pytest.approx(
        np.linalg.eigvalsh(hidden.T @ hidden / 40)[-1], rel=1e-4
    )
    assert found.gradient_lambda_max == pytest.approx(
        np.linalg.eigvalsh(gradients.T @ gradients / 40)[-1], rel=1e-4
    )
    assert found.weight_norm == pytest.approx(np.sqrt((head**2).sum()), rel=1e-6)
    assert found.weight_spectral_norm == pytest.approx(np.linalg.norm(head, 2), rel=1e-6)


def test_another_layer_may_be_named():
    model = net()
    x, y = RNG.standard_normal((40, 6)).astype("float32"), RNG.integers(3, size=40)
    found = last_layer_analysis(model, [(x, y)], layer="body")
    assert found.input_lambda_max == pytest.approx(np.linalg.norm(x.T @ x / 40, 2), rel=1e-5)


def test_bad_input():
    model = keras.Sequential([keras.Input((4, 6)), layers.Dense(3), layers.Flatten(name="flat")])
    x, y = np.zeros((2, 4, 6), "float32"), np.zeros(2, "int32")
    with pytest.raises(ZooError, match=r"inputs \(N, D\). Received: \[\(2, 4, 6\)\]"):
        last_layer_analysis(model, [(x, y)])
    inputs, shared = keras.Input((3,)), layers.Dense(3, name="shared")
    twice = keras.Model(inputs, shared(shared(inputs)))
    with pytest.raises(ZooError, match="shared must be used once"):
        last_layer_analysis(twice, [(np.zeros((2, 3), "float32"), y)])
    with pytest.raises(ZooError, match="flat is a Flatten; allowed: Dense"):
        last_layer_analysis(model, [(x, y)], layer=model.layers[-1])
    with pytest.raises(ZooError, match="at least one pair"):
        last_layer_analysis(net(), [])
