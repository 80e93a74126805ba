"""Eigenvalues of positive semidefinite matrices, and the condition numbers they give."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from zoo.errors import ZooError


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a positive semidefinite matrix.

    Attributes:
        eigenvalues: Array, float64, descending: all D of them, or the largest alone.
        size: Integer D.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        section 3, for the generalized condition number (footnote 2) and products of spectra
        (proposition 1).

    Example:

    >>> spectrum = Spectrum.of(np.diag([8.0, 4.0, 2.0, 0.0]))
    >>> spectrum.lambda_max, spectrum.kappa(50), spectrum.kappa()
    (8.0, 2.0, inf)
    """

    eigenvalues: np.ndarray
    size: int

    @classmethod
    def of(cls, matrix: np.ndarray, *, largest_only: bool = False) -> "Spectrum":
        """The spectrum of a (D, D) symmetric, positive semidefinite matrix.

        What lies within the rounding of the largest eigenvalue, D * 2.2e-16 of it, becomes 0.

        Args:
            matrix: Array (D, D).
            largest_only: Boolean, the largest eigenvalue alone, for large matrices: D^2 instead of
                D^3 operations.

        Returns:
            `Spectrum`.

        Raises:
            ZooError: The matrix is not square.
        """
        matrix = np.asarray(matrix, "float64")
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ZooError(f"A spectrum needs a square matrix. Received: shape={matrix.shape}")
        size = len(matrix)
        if largest_only:
            return cls(np.array([largest_eigenvalue(matrix.__matmul__, size)]), size)
        values = np.linalg.eigvalsh(matrix)[::-1]
        floor = size * np.finfo("float64").eps * values[0]
        return cls(np.where(values > floor, values, 0.0), size)

    @property
    def lambda_max(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[0])

    def kappa(self, p: float = 100.0) -> float:
        """lambda_max / lambda_p, the generalized condition number.

        Args:
            p: Float, percentage of the eigenvalues in descending order: lambda_p is number
                ceil(p D / 100) from above. 100 is the ordinary condition number.

        Returns:
            Float, at least 1; infinite where lambda_p is 0, NaN for a matrix of zeros.

        Raises:
            ZooError: P is not within (0, 100], or only the largest eigenvalue is known.
        """
        if not 0 < p <= 100:
            raise ZooError(f"p is a percentage within (0, 100]. Received: p={p}")
        if len(self.eigenvalues) < self.size:
            raise ZooError(
                "Condition numbers need all eigenvalues: compute with largest_only=False."
            )
        # 7% of 100 are 7, although 7 / 100 * 100 rounds to more.
        value = float(self.eigenvalues[math.ceil(round(p * self.size / 100, 9)) - 1])
        if value == 0:
            return math.inf if self.lambda_max else math.nan
        return self.lambda_max / value

    def kronecker(self, other: "Spectrum") -> "Spectrum":
        """The spectrum of the Kronecker product: all products of eigenvalues (proposition 1).

        lambda_max and kappa of it are the products of those of the factors; kappa_p below 100% is
        not, and is taken from all D1 * D2 products.

        Args:
            other: `Spectrum`.

        Returns:
            `Spectrum` of size D1 D2.
        """
        products = np.outer(self.eigenvalues, other.eigenvalues).ravel()
        products.sort()
        return Spectrum(products[::-1], self.size * other.size)


def largest_eigenvalue(
    times: Callable[[np.ndarray], np.ndarray],
    size: int,
    *,
    tolerance: float = 1e-10,
    steps: int = 200,
) -> float:
    """The largest eigenvalue of a positive semidefinite matrix, by the Lanczos method.

    The matrix need not exist: some dozen products with vectors are enough. The basis is
    orthogonalized in full; its first vector is random, from a fixed seed.

    Args:
        times: Function v -> matrix @ v, of (D,) float64 vectors.
        size: Integer D.
        tolerance: Float, relative error of the result at which it stops.
        steps: Integer, the most products; the result is then a lower bound, close in practice.

    Returns:
        Float, the eigenvalue; 0 for a matrix of zeros.

    Example:

    >>> round(largest_eigenvalue(lambda v: np.array([3.0, 1.0]) * v, 2), 9)
    3.0
    """
    most = min(steps, size)
    basis, tridiagonal = np.zeros((most, size)), np.zeros((most, most))
    w = np.random.default_rng(0).standard_normal(size)
    rest = float(np.linalg.norm(w))
    largest = 0.0
    for k in range(most):
        basis[k] = w / rest
        w = times(basis[k])
        tridiagonal[k, k] = basis[k] @ w
        known = basis[: k + 1]
        for _ in range(2):  # once leaves some rounding behind
            w = w - (known @ w) @ known
        rest = float(np.linalg.norm(w))
        # Now and then, for it costs more than a step.
        if k % 8 == 7 or k == most - 1 or rest <= tolerance * abs(tridiagonal[0, 0]):
            values, vectors = np.linalg.eigh(tridiagonal[: k + 1, : k + 1])
            largest = max(float(values[-1]), 0.0)
            # The residual of the largest Ritz pair bounds its error.
            if rest * abs(vectors[-1, -1]) <= tolerance * largest or k == most - 1:
                return largest
        tridiagonal[k, k + 1] = tridiagonal[k + 1, k] = rest
    return largest
