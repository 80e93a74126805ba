import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo.errors import ZooError
from zoo.signals.curvature import fisher, gradient_second_moment
from zoo.signals.linear import LinearSignals

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 4)).astype("float32")
Y = RNG.integers(3, size=50)


def dense_net(units=(5, 3), activation=None, norm=False) -> keras.Model:
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((4,))
    for i, n in enumerate(units, start=1):
        x = layers.Dense(n, use_bias=False, name=f"layer{i}")(x)
        if i < len(units):
            x = layers.BatchNormalization(epsilon=1e-12)(x) if norm else x
            x = layers.ReLU()(x)
    return keras.Model(inputs, layers.Activation(activation)(x))


def gradients(model, labels) -> np.ndarray:
    """Gradient of each example of X, (50, 4 * 5 + 5 * 3), by hand."""
    w1, w2 = (np.asarray(ops.convert_to_numpy(v), "float64") for v in model.trainable_variables)
    hidden = np.maximum(X @ w1, 0)
    p = np.exp(hidden @ w2)
    dh2 = p / p.sum(axis=1, keepdims=True) - np.eye(3)[labels]
    dh1 = (dh2 @ w2.T) * (hidden > 0)
    parts = [np.einsum("ni,no->nio", a, b).reshape(50, -1) for a, b in ((X, dh1), (hidden, dh2))]
    return np.concatenate(parts, axis=1), p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_fisher_of_a_linear_classifier_in_closed_form(activation):
    model = dense_net((3,), activation)
    p = np.exp(X @ np.asarray(ops.convert_to_numpy(model.trainable_variables[0]), "float64"))
    p /= p.sum(axis=1, keepdims=True)
    expected = sum(
        np.kron(np.outer(x, x), np.diag(q) - np.outer(q, q)) for x, q in zip(X, p, strict=True)
    )
    found = fisher(model, X)
    np.testing.assert_allclose(found.matrix, expected / 50, rtol=1e-4, atol=1e-6)
    assert found.sizes == {"layer1": 12}


def test_both_matrices_of_a_rectifier_net_by_hand():
    model = dense_net()
    expected = 0
    for c in range(3):
        g, p = gradients(model, np.full(50, c))
        expected = expected + (p[:, c, None] * g).T @ g / 50
    found = fisher(model, X)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-3, atol=1e-5)
    assert found.sizes == {"layer1": 20, "layer2": 15}
    np.testing.assert_array_equal(found.block("layer2"), found.matrix[20:, 20:])
    assert found.spectrum().lambda_max == pytest.approx(np.linalg.norm(expected, 2), rel=1e-4)
    assert found.spectrum("layer1").size == 20
    g, _ = gradients(model, Y)
    moment = gradient_second_moment(model, X, Y)
    np.testing.assert_allclose(moment.matrix, g.T @ g / 50, rtol=1e-3, atol=1e-5)
    part = fisher(model, X, layers=["layer2"])
    np.testing.assert_allclose(part.matrix, expected[20:, 20:], rtol=1e-3, atol=1e-5)


def test_large_batches_are_taken_in_pieces(monkeypatch):
    model = dense_net()
    whole = gradient_second_moment(model, X, Y).matrix
    monkeypatch.setattr("zoo.signals.curvature._PIECE", 35 * 7)
    np.testing.assert_allclose(gradient_second_moment(model, X, Y).matrix, whole, rtol=1e-9)


def test_batch_norm_theorem_2():
    model = dense_net((5, 3), norm=True)
    before = fisher(model, X)
    kernel = model.get_layer("layer1").kernel
    kernel.assign(kernel.value * 4.0)
    after = fisher(model, X)
    np.testing.assert_allclose(
        after.block("layer1"), before.block("layer1") / 16, rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(after.block("layer2"), before.block("layer2"), rtol=1e-3, atol=1e-6)


def test_with_batch_norm_fisher_is_that_of_labels_drawn_independently():
    model = dense_net((5, 3), norm=True)
    head = model.get_layer("layer2").kernel
    head.assign(head.value * 3.0)  # a model of some opinion: labels are far from uniform
    x = RNG.standard_normal((200, 4)).astype("float32")
    found = np.mean([np.trace(fisher(model, x, seed=s).block("layer1")) for s in range(2)])
    q = np.exp(ops.convert_to_numpy(model(x, training=True)))
    q = np.cumsum(q / q.sum(axis=1, keepdims=True), axis=1)
    signals, traces = LinearSignals(model, layers=["layer1"]), []
    for _ in range(60):
        labels = (RNG.random((200, 1)) > q[:, :2]).sum(axis=1)
        x_, dh = signals(x, labels)["layer1"]
        traces.append(np.mean((x_**2).sum(axis=1) * (dh**2).sum(axis=1)))
    assert np.mean(traces) == pytest.approx(found, rel=0.1)


def test_uses_of_a_layer_used_again_add_up():
    inputs, shared = keras.Input((4,)), layers.Dense(4, use_bias=False, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    loss = lambda targets, outputs: ops.sum(targets * outputs, axis=-1)  # noqa: E731
    y = RNG.standard_normal((50, 4)).astype("float32")
    w = np.asarray(ops.convert_to_numpy(shared.kernel), "float64")
    g = np.einsum("ni,no->nio", X, y @ w.T) + np.einsum("ni,no->nio", X @ w, y)
    g = g.reshape(50, -1)
    found = gradient_second_moment(model, X, y, loss=loss)
    np.testing.assert_allclose(found.matrix, g.T @ g / 50, rtol=1e-3, atol=1e-4)
    assert found.sizes == {"shared": 16}


def test_what_is_refused():
    with pytest.raises(ZooError, match=r"limit=34 weights.*\['layer1', 'layer2'\]"):
        fisher(dense_net(), X, limit=34)
    convolution = keras.Sequential(
        [keras.Input((8, 1)), layers.Conv1D(2, 3, name="conv"), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(ZooError, match=r"dense nets\. Received: layer conv, a Conv1D"):
        fisher(convolution, np.zeros((2, 8, 1), "float32"))
    maps = keras.Sequential([keras.Input((5, 4)), layers.Dense(3, name="maps"), layers.Flatten()])
    with pytest.raises(ZooError, match=r"layer maps must be \(N, D\). Received: \(2, 5, 4\)"):
        fisher(maps, np.zeros((2, 5, 4), "float32"))
    sequence = keras.Sequential([keras.Input((5, 4)), layers.Dense(3)])
    with pytest.raises(ZooError, match=r"\(N, classes\). Received outputs of shape \(2, 5, 3\)"):
        fisher(sequence, np.zeros((2, 5, 4), "float32"))
    with pytest.raises(ZooError, match="'layer9'"):
        fisher(dense_net(), X).block("layer9")
