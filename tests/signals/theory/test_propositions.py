import math

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.theory.propositions import canonical_error, residual_covariance, solution_change
from zoo.signals.theory.similarity import mean_cosine, singular_condition

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(40, 8), (8, 8), (4, 12), (3, 3, 5, 7)])
def test_a_covariance_is_as_far_from_diagonal_as_coherence_lets_it(shape):
    kernel = RNG.standard_normal(shape) * np.geomspace(0.1, 10, shape[-1])
    error = canonical_error(kernel, variance=2.5)
    assert 0 < error.distance <= error.bound
    # The distance is that of the measured covariance of W x.
    w = kernel.reshape(-1, shape[-1])
    outputs = np.sqrt(2.5) * RNG.standard_normal((200_000, len(w))) @ w
    sigma = np.cov(outputs.T, bias=True)
    measured = np.linalg.norm(sigma - np.diag(np.diag(sigma)))
    assert error.distance == pytest.approx(measured, rel=0.05)


def test_orthonormal_filters_have_a_diagonal_covariance():
    w = np.linalg.qr(RNG.standard_normal((20, 6)))[0]
    assert canonical_error(w).distance < 1e-12
    assert canonical_error(w).bound < 1e-12
    # Two filters: the bound is met. As printed, without squares, it would be broken.
    long = np.array([[3.0, 3.0], [0.0, 4.0]])
    error = canonical_error(long)
    assert error.distance == pytest.approx(error.bound)
    assert error.distance > 0.6 * math.sqrt(2 * 3 * 5)


def test_a_residual_block_of_an_orthogonal_matrix_is_not_standard_normal():
    n = 6
    w = np.linalg.qr(RNG.standard_normal((n, n)))[0]  # (in, out), so W is w.T
    covariance = residual_covariance(w)
    np.testing.assert_allclose(covariance, 2 * np.eye(n) + w + w.T, atol=1e-12)
    x = RNG.standard_normal((200_000, n))
    np.testing.assert_allclose(np.cov((x @ w + x).T, bias=True), covariance, atol=0.05)
    factor = np.trace(covariance) / n
    assert np.linalg.norm(covariance - factor * np.eye(n)) > 1  # no factor makes it I
    assert np.linalg.norm(covariance - 2 * (w.T + np.eye(n))) > 1  # as printed
    mirror = np.diag([1.0, -1.0])
    np.testing.assert_allclose(residual_covariance(mirror), 2 * (mirror + np.eye(2)))
    with pytest.raises(ZooError, match=r"square W. Received: shape=\(2, 3\)"):
        residual_covariance(np.ones((2, 3)))


@pytest.mark.parametrize(("examples", "units"), [(12, 12), (8, 12), (30, 12)])
def test_weights_change_no_more_than_the_condition_of_activations_lets_them(examples, units):
    for _ in range(20):
        h = RNG.standard_normal((examples, units)) * np.geomspace(1, 1e-2, units)
        dh = 1e-6 * RNG.standard_normal((examples, units))
        w = RNG.standard_normal((units, 5))
        moved = solution_change(w, h, dh)
        assert moved.change <= moved.bound * (1 + 1e-9)
        kappa = singular_condition(h)
        assert moved.bound == pytest.approx(
            kappa * np.linalg.norm(dh, 2) / np.linalg.norm(h, 2), rel=1e-9
        )


def test_the_change_of_weights_keeps_the_outputs_to_first_order():
    h, w = RNG.standard_normal((6, 6)), RNG.standard_normal((6, 4))
    dh = 1e-5 * RNG.standard_normal((6, 6))
    exact = np.linalg.solve(h + dh, h @ w) - w  # (H + dH) (W + dW) = H W, in Keras's order
    moved = solution_change(w, h, dh)
    expected = np.linalg.norm(exact, 2) / np.linalg.norm(w, 2)
    assert moved.change == pytest.approx(expected, rel=1e-2)
    # Along the least singular vector the bound is met.
    u, s, v = np.linalg.svd(h)
    worst = solution_change(np.outer(u[:, 0] @ h, [1.0]), h, 1e-5 * np.outer(u[:, -1], v[0]))
    assert worst.change == pytest.approx(worst.bound, rel=1e-6)
    assert worst.bound == pytest.approx(1e-5 / s[-1])


def test_singular_activations_bound_nothing():
    h = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])
    assert solution_change(np.ones((2, 1)), h, 0.1 * np.ones((3, 2))).bound == math.inf
    assert solution_change(np.ones((2, 1)), h, np.zeros((3, 2))) == (0, 0)
    with pytest.raises(ZooError, match=r"shapes \(2, 1\), \(3, 4\) and \(3, 4\)"):
        solution_change(np.ones((2, 1)), np.ones((3, 4)), np.ones((3, 4)))
    with pytest.raises(ZooError, match="all 0"):
        solution_change(np.zeros((2, 1)), h, h)


def test_condition_of_activations():
    rotated = np.linalg.qr(RNG.standard_normal((5, 3)))[0] * [8.0, 4.0, 2.0]
    assert singular_condition(rotated) == pytest.approx(4)
    assert singular_condition(rotated.T) == pytest.approx(4)
    assert singular_condition(np.ones((4, 3))) == math.inf
    # What is rounding in float32 is none in float64.
    nearly = np.diag([1.0, 1e-8])
    assert singular_condition(nearly) == pytest.approx(1e8)
    assert singular_condition(nearly.astype("float32")) == math.inf
    assert math.isnan(singular_condition(np.zeros((2, 2))))
    with pytest.raises(ZooError, match=r"finite matrix \(n, d\). Received: shape=\(3,\)"):
        singular_condition(np.ones(3))


def test_mean_cosines():
    rows = RNG.standard_normal((7, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = (unit @ unit.T)[np.triu_indices(7, k=1)]
    assert mean_cosine(rows) == pytest.approx(pairs.mean())
    assert mean_cosine(np.ones((3, 2))) == pytest.approx(1)
    assert mean_cosine([[1.0, 0.0], [-1.0, 0.0]]) == pytest.approx(-1)
    # A row of zeros is like no other.
    assert mean_cosine([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]) == pytest.approx(1 / 3)
    with pytest.raises(ZooError, match=r"two rows or more, \(n, d\). Received: shape=\(1, 2\)"):
        mean_cosine(np.ones((1, 2)))
