import math

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.theory.spectrum import Spectrum, largest_eigenvalue

pytestmark = pytest.mark.once


def random_psd(size: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).standard_normal((size, 2 * size))
    return a @ a.T


def test_condition_numbers_of_a_known_spectrum():
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((10, 10)))[0]
    spectrum = Spectrum.of(rotation * np.arange(1.0, 11.0) @ rotation.T)
    np.testing.assert_allclose(spectrum.eigenvalues, np.arange(10.0, 0.0, -1.0))
    assert spectrum.lambda_max == pytest.approx(10)
    # Number ceil(p D / 100) from above.
    for p, value in ((100, 1), (95, 1), (90, 2), (81, 2), (80, 3), (10, 10), (1, 10)):
        assert spectrum.kappa(p) == pytest.approx(10 / value)
    hundred = Spectrum(np.arange(100.0, 0.0, -1.0), 100)
    assert [100 / hundred.kappa(p) for p in range(1, 101)] == pytest.approx(
        list(hundred.eigenvalues)
    )


def test_rank_deficient_matrices_have_no_condition_number():
    a = np.random.default_rng(0).standard_normal((6, 3))
    spectrum = Spectrum.of(a @ a.T)
    assert (spectrum.eigenvalues[3:] == 0).all()
    assert spectrum.kappa(50) < math.inf
    assert spectrum.kappa(51) == spectrum.kappa() == math.inf
    assert math.isnan(Spectrum.of(np.zeros((3, 3))).kappa())


@pytest.mark.parametrize("shape", [(3, 4), (5, 2)])
def test_proposition_1_products_are_the_spectrum_of_the_kronecker_matrix(shape):
    a, b = random_psd(shape[0], 1), random_psd(shape[1], 2)
    product, whole = Spectrum.of(a).kronecker(Spectrum.of(b)), Spectrum.of(np.kron(a, b))
    np.testing.assert_allclose(product.eigenvalues, whole.eigenvalues, rtol=1e-9)
    assert product.size == whole.size
    of_a, of_b = Spectrum.of(a), Spectrum.of(b)
    assert whole.lambda_max == pytest.approx(of_a.lambda_max * of_b.lambda_max)
    assert whole.kappa() == pytest.approx(of_a.kappa() * of_b.kappa())
    assert whole.kappa(40) == pytest.approx(product.kappa(40))


@pytest.mark.parametrize(
    "matrix",
    [
        random_psd(300, 0),
        np.diag(np.append(np.ones(99), 1.0001)),  # hardly a gap
        np.eye(5),
        np.zeros((4, 4)),
        np.outer(np.arange(50.0), np.arange(50.0)),
        np.array([[3.0]]),
        1e-60 * random_psd(20, 3),  # of vanishing gradients
    ],
)
def test_the_largest_eigenvalue_alone(matrix):
    alone = Spectrum.of(matrix, largest_only=True)
    assert alone.lambda_max == pytest.approx(Spectrum.of(matrix).lambda_max, rel=1e-8, abs=0)
    assert alone.size == len(matrix)
    found = largest_eigenvalue(lambda v: matrix @ v, len(matrix))
    assert found == alone.lambda_max


def test_bad_input():
    with pytest.raises(ZooError, match=r"square matrix. Received: shape=\(2, 3\)"):
        Spectrum.of(np.ones((2, 3)))
    for p in (0, -1, 100.5, math.nan):
        with pytest.raises(ZooError, match=f"Received: p={p}"):
            Spectrum.of(np.eye(2)).kappa(p)
    with pytest.raises(ZooError, match="largest_only=False"):
        Spectrum.of(np.eye(2), largest_only=True).kappa()
