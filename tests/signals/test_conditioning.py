import tracemalloc

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo.errors import ZooError
from zoo.signals.conditioning import layer_conditioning
from zoo.signals.linear import LinearSignals

RNG = np.random.default_rng(0)


def product(targets, outputs):
    """A loss whose gradient by the outputs of an example is its target, whatever the outputs."""
    return ops.sum(ops.cast(targets, outputs.dtype) * outputs, axis=-1)


def with_moment(values, count: int) -> np.ndarray:
    """Rows whose second moment is diag(values)."""
    q = np.linalg.qr(RNG.standard_normal((count, len(values))))[0]
    return (q * np.sqrt(count * np.asarray(values))).astype("float32")


def rotation(size: int) -> np.ndarray:
    return np.linalg.qr(RNG.standard_normal((size, size)))[0]


def plain(widths, norm: bool = False, activation: str | None = "relu") -> keras.Model:
    x = inputs = keras.Input((widths[0],))
    for i, units in enumerate(widths[1:], start=1):
        x = layers.Dense(units, use_bias=False, name=f"layer{i}")(x)
        if norm:
            x = layers.BatchNormalization(epsilon=0.0)(x)
        if i < len(widths) - 1:
            x = layers.Activation(activation)(x)
    return keras.Model(inputs, x)


def kernels(model) -> list[np.ndarray]:
    return [np.asarray(ops.convert_to_numpy(v), "float64") for v in model.trainable_variables]


def test_a_linear_net_of_known_spectra():
    model = plain((3, 3, 3), activation=None)
    first, last = rotation(3) * 2.0, rotation(3) * 0.5
    model.get_layer("layer1").kernel.assign(first)
    model.get_layer("layer2").kernel.assign(last)
    x, y = with_moment([9, 4, 1], 20), with_moment([100, 10, 1], 20)
    found = layer_conditioning(model, [(x, y)], loss=product)
    expected = {
        "layer1": ([9, 4, 1], [25, 2.5, 0.25]),  # dh1 = W2 y
        "layer2": ([36, 16, 4], [100, 10, 1]),  # x2 = W1 x
    }
    assert list(found) == list(expected)
    for name, (of_x, of_dh) in expected.items():
        np.testing.assert_allclose(found[name].inputs.eigenvalues, of_x, rtol=1e-5)
        np.testing.assert_allclose(found[name].gradients.eigenvalues, of_dh, rtol=1e-5)
        assert found[name].fisher.lambda_max == pytest.approx(of_x[0] * of_dh[0], rel=1e-5)
        assert found[name].fisher.kappa() == pytest.approx(900, rel=1e-5)
        assert found[name].inputs.kappa(60) == pytest.approx(9 / 4, rel=1e-5)
    largest = layer_conditioning(model, [(x, y)], loss=product, largest_only=True)
    assert largest["layer2"].fisher.lambda_max == pytest.approx(3600, rel=1e-5)


def test_uneven_batches_are_weighed_by_their_examples():
    model = plain((4, 5, 3))
    x, y = RNG.standard_normal((30, 4)), RNG.standard_normal((30, 3))
    w1, w2 = kernels(model)
    hidden = np.maximum(x @ w1, 0)
    dh1 = (y @ w2.T) * (hidden > 0)
    parts = [(x[:7], y[:7]), (x[7:28], y[7:28]), (x[28:], y[28:])]
    batches = ((a.astype("float32"), b.astype("float32")) for a, b in parts)
    found = layer_conditioning(model, batches, loss=product)
    moments = {
        "layer1": (x.T @ x, dh1.T @ dh1),
        "layer2": (hidden.T @ hidden, y.T @ y),
    }
    for name, (of_x, of_dh) in moments.items():
        for spectrum, matrix in ((found[name].inputs, of_x), (found[name].gradients, of_dh)):
            expected = np.linalg.eigvalsh(matrix / 30)[::-1]
            np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_positions_of_a_convolution_are_examples(data_format):
    if data_format == "channels_first" and keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no such convolution on a CPU.")
    x, y = with_moment([8, 2], 4 * 5 * 3).reshape(4, 5, 3, 2), with_moment([5, 4, 3], 60)
    y = y.reshape(4, 5, 3, 3)
    if data_format == "channels_first":
        x, y = np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1)
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layers.Conv2D(3, 1, data_format=data_format, name="conv")]
    )
    # The loss of an example is a sum over its positions.
    found = layer_conditioning(
        model, [(x, y)], loss=lambda targets, outputs: ops.sum(targets * outputs, axis=(1, 2, 3))
    )["conv"]
    np.testing.assert_allclose(found.inputs.eigenvalues, [8, 2], rtol=1e-5)
    np.testing.assert_allclose(found.gradients.eigenvalues, [5, 4, 3], rtol=1e-5)


def test_a_layer_used_again_is_another_place():
    inputs = keras.Input((2,))
    shared = layers.Dense(2, use_bias=False, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    shared.kernel.assign(np.diag([3.0, 1.0]))
    x = with_moment([1, 1], 10)
    found = layer_conditioning(model, [(x, x)], loss=product)
    assert list(found) == ["shared", "shared#2"]
    np.testing.assert_allclose(found["shared"].inputs.eigenvalues, [1, 1], rtol=1e-5)
    np.testing.assert_allclose(found["shared#2"].inputs.eigenvalues, [9, 1], rtol=1e-5)
    np.testing.assert_allclose(found["shared"].gradients.eigenvalues, [9, 1], rtol=1e-5)
    np.testing.assert_allclose(found["shared#2"].gradients.eigenvalues, [1, 1], rtol=1e-5)


@pytest.mark.parametrize("norm", [False, True])
def test_theorems_1_and_2_scaled_weights(norm):
    """[Plain] all factors below act on x, all above on dh; [BN] only the layer's own, on dh."""
    model = plain((5, 6, 6, 4), norm=norm)
    x, y = (RNG.standard_normal((64, n)).astype("float32") for n in (5, 4))
    signals = LinearSignals(model, loss=product)  # of the weights of the moment
    before = layer_conditioning(signals, [(x, y)])
    factors = [2.0, 0.5, 3.0]
    for i, factor in enumerate(factors, start=1):
        kernel = model.get_layer(f"layer{i}").kernel
        kernel.assign(kernel.value * factor)
    after = layer_conditioning(signals, [(x, y)])
    for i, name in enumerate(before):
        of_x = 1.0 if norm else np.prod(factors[:i])
        of_dh = 1 / factors[i] if norm else np.prod(factors[i + 1 :])
        for was, now, factor in (
            (before[name].inputs, after[name].inputs, of_x),
            (before[name].gradients, after[name].gradients, of_dh),
        ):
            np.testing.assert_allclose(
                now.eigenvalues, was.eigenvalues * factor**2, rtol=1e-3, atol=1e-5 * now.lambda_max
            )


def traced(batches):
    """The batches; memory is traced from the second on, when everything is compiled."""
    for i, batch in enumerate(batches):
        if i == 1:
            tracemalloc.start()
        yield batch


def stopped_peak() -> int:
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 2**20  # it was traced
    return peak


def test_memory_at_size_2048_is_that_of_its_matrices():
    model = plain((2048, 2048))
    x, y = (RNG.standard_normal((256, 2048), dtype="float32") for _ in range(2))
    found = layer_conditioning(model, traced([(x, y)] * 2), loss=product, largest_only=True)
    # Beside the two accumulated before: a product of the update, then a moment being made.
    assert stopped_peak() < 3.5 * 2048**2 * 8
    expected = np.linalg.norm(x @ x.T / 256, 2)  # the same eigenvalue, of the small matrix
    assert found["layer1"].inputs.lambda_max == pytest.approx(expected, rel=1e-4)


def test_batches_are_not_held():
    model = plain((128, 128))
    batch = tuple(RNG.standard_normal((2048, 128), dtype="float32") for _ in range(2))
    layer_conditioning(model, traced([batch] * 24), loss=product, largest_only=True)
    # The signals of a pass, those being made and float64 pieces: half of what 24 batches are.
    assert stopped_peak() < 24 * batch[0].nbytes


def test_bad_input():
    model = plain((3, 2))
    x, y = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
    with pytest.raises(ZooError, match="at least one pair"):
        layer_conditioning(model, [], loss=product)
    broken = x.copy()
    broken[2] = np.nan
    with pytest.raises(ZooError, match="example 2"):
        layer_conditioning(model, [(x, y), (broken, y)], loss=product)
    model = keras.Sequential([keras.Input((3,)), layers.ReLU(name="relu"), layers.Dense(2)])
    with pytest.raises(ZooError, match="relu is a ReLU; allowed: Dense"):
        layer_conditioning(model, [(x, y)], layers=["relu"], loss=product)
