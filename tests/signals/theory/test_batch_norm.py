"""Equations of batch normalization against finite differences and against Keras's own layer."""

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.ratios import channel_ratios
from zoo.signals.theory.batch_norm import (
    batch_norm_errors,
    batch_norm_jacobian,
    batch_norm_ratios,
    batch_norm_spectrum,
)

once = pytest.mark.once  # NumPy alone

RNG = np.random.default_rng(0)


def forward(x, gamma, epsilon):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon)


@once
@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 2.0])
def test_the_jacobian_is_that_of_finite_differences(epsilon):
    x, step = RNG.normal(3, 2, 7), 1e-6
    jacobian = batch_norm_jacobian(x, 1.7, epsilon)
    columns = [
        (forward(x + step * e, 1.7, epsilon) - forward(x - step * e, 1.7, epsilon)) / (2 * step)
        for e in np.eye(7)
    ]
    np.testing.assert_allclose(jacobian, np.transpose(columns), atol=1e-8)
    np.testing.assert_allclose(jacobian, jacobian.T, atol=1e-15)


@once
@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 2.0])
def test_the_spectrum_is_rho_but_for_two_eigenvalues(epsilon):
    x = RNG.normal(3, 2, 9)
    rho = 1.7 / np.sqrt(x.var() + epsilon)
    spectrum = batch_norm_spectrum(x, 1.7, epsilon)
    exact = np.linalg.eigvalsh(batch_norm_jacobian(x, 1.7, epsilon))[::-1]
    np.testing.assert_allclose(spectrum, exact, atol=1e-12)
    np.testing.assert_allclose(spectrum[:-2], rho)
    np.testing.assert_allclose(spectrum[-2:], [rho * epsilon / (x.var() + epsilon), 0], atol=1e-15)


@once
def test_the_square_of_u_is_m_times_u():
    """Equation 18: approximately there, exactly for the batch's own statistics."""
    x = RNG.normal(3, 2, 9)
    u = 9 * (np.eye(9) - batch_norm_jacobian(x, np.sqrt(x.var()), 0.0))
    np.testing.assert_allclose(u @ u, 9 * u, atol=1e-10)
    assert np.linalg.matrix_rank(u) == 2  # equation 15


@once
def test_channels_do_not_mix():
    """The whole Jacobian is a block for each channel (equations 9 to 11)."""
    x, m, d, step = RNG.normal(1, 2, (5, 3)), 5, 3, 1e-6
    whole = np.zeros((m * d, m * d))
    for i, e in enumerate(np.eye(m * d).reshape(-1, m, d)):
        change = forward(x + step * e, 1, 1e-3) - forward(x - step * e, 1, 1e-3)
        whole[:, i] = change.ravel() / (2 * step)
    by_channel = np.arange(m * d).reshape(m, d).T.ravel()
    blocks = whole[np.ix_(by_channel, by_channel)]
    expected = np.zeros_like(whole)
    for k in range(d):
        expected[k * m : (k + 1) * m, k * m : (k + 1) * m] = batch_norm_jacobian(x[:, k])
    np.testing.assert_allclose(blocks, expected, atol=1e-8)


@once
def test_errors_are_those_of_the_jacobian():
    x, errors = RNG.normal(1, 2, (2, 6, 4))
    below = batch_norm_errors(x, errors, gamma=1.3)
    for k in range(4):
        expected = batch_norm_jacobian(x[:, k], gamma=1.3).T @ errors[:, k]
        np.testing.assert_allclose(below[:, k], expected, atol=1e-12)
    # It centralizes the errors.
    np.testing.assert_allclose(below.mean(axis=0), 0, atol=1e-12)


@once
def test_proposition_38_per_channel():
    """R_b = (1 - z / B) / var with E z = 1, Var z = 2: within a tenth of the effect, 1 / B."""
    b, channels = 64, 8192
    x, errors = RNG.standard_normal((2, b, channels))
    ratios = batch_norm_ratios(3 * x, errors)
    np.testing.assert_allclose(ratios.forward, 1 / (3 * x).var(axis=0))
    s = (errors - errors.mean(axis=0)) / errors.std(axis=0)
    x_hat = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(ratios.z, (s * x_hat).sum(axis=0) ** 2 / b, atol=1e-9)
    assert ratios.z.mean() == pytest.approx(1, abs=0.06)
    assert ratios.z.var() == pytest.approx(2, rel=0.1)
    shift = np.mean(ratios.backward / ratios.forward) - 1
    assert shift == pytest.approx(-1 / b, rel=0.1)


def test_kerass_layer_has_these_ratios():
    x, errors = RNG.standard_normal((2, 32, 16))
    layer = keras.layers.BatchNormalization(epsilon=1e-9)
    measured = channel_ratios(layer, 2 * x, errors)
    expected = batch_norm_ratios(2 * x, errors)
    np.testing.assert_allclose(measured.forward, expected.forward, rtol=1e-4)
    np.testing.assert_allclose(measured.backward, expected.backward, rtol=1e-4)


@once
def test_bad_input():
    with pytest.raises(ZooError, match=r"two finite examples or more. Received: shape=\(1,\)"):
        batch_norm_jacobian([1.0])
    with pytest.raises(ZooError, match="two finite examples"):
        batch_norm_spectrum([1.0, np.nan])
    with pytest.raises(ZooError, match=r"give an epsilon. Received: epsilon=0"):
        batch_norm_jacobian([1.0, 1.0], epsilon=0.0)
    with pytest.raises(ZooError, match=r"shape of x, \(2,\). Received: \(3,\)"):
        batch_norm_errors([1.0, 2.0], [1.0, 2.0, 3.0])
