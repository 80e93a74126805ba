import math

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.theory.arrays import kernel_matrix
from zoo.signals.theory.matrices import condition_number, spectral_norm

RNG = np.random.default_rng(0)


def test_condition_numbers():
    assert condition_number(np.diag([4.0, -0.5])) == pytest.approx(8)
    square = RNG.standard_normal((30, 30))
    assert condition_number(square) == pytest.approx(np.linalg.cond(square.T, np.inf))
    # Units are rows: two inputs to one unit; the pseudoinverse halves each.
    assert condition_number(np.array([[1.0], [1.0]])) == pytest.approx(2 * 0.5)
    assert condition_number(np.array([[3.0, 1.0], [0.0, 2.0]])) == pytest.approx(3 * (2 / 3))
    # Rank one: the pseudoinverse of u v^T is v u^T / (|u|^2 |v|^2).
    u, v = np.array([1.0, 2.0]), np.array([2.0, 0.0, 1.0])
    expected = (2 * 3) * (2 * 3 / (5 * 5))
    assert condition_number(np.outer(v, u)) == pytest.approx(expected)
    assert math.isnan(condition_number(np.zeros((2, 2))))


def test_scale_does_not_matter_and_convolutions_are_matrices():
    kernel = RNG.standard_normal((3, 3, 4, 8)).astype("float32")
    assert condition_number(1e-3 * kernel) == pytest.approx(condition_number(kernel), rel=1e-4)
    assert condition_number(kernel) == condition_number(kernel.reshape(36, 8))


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (3, 3, 4, 8), (1, 1)])
def test_spectral_norm(shape):
    kernel = RNG.standard_normal(shape)
    expected = np.linalg.norm(kernel.reshape(-1, shape[-1]), 2)
    assert spectral_norm(kernel) == pytest.approx(expected, rel=1e-9)
    assert spectral_norm(keras.ops.cast(kernel, "bfloat16")) == pytest.approx(expected, rel=1e-2)
    assert spectral_norm(np.zeros(shape)) == 0


def test_bad_kernels():
    with pytest.raises(ZooError, match=r"two dimensions or more.*Received: \(3,\)"):
        kernel_matrix(np.ones(3))
    with pytest.raises(ZooError, match="NaN or infinity"):
        condition_number(np.array([[1.0, np.nan]]))
