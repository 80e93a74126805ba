"""Covariance matrices over any number of batches, in the memory of the matrix."""

from typing import Any

import numpy as np

from zoo.errors import ZooError

# Rows are taken in pieces of this many numbers, 8 MB in float64.
_PIECE = 2**20


class Covariance:
    """Accumulates the mean and the second moment of rows in float64, batch by batch.

        mean = E[x],    moment = E[x x^T],    covariance = E[(x - mean) (x - mean)^T]

    Batches are merged in the centred form of Chan, Golub and LeVeque, which loses no digits where
    the mean is large, so any split of the rows gives the same matrices to rounding. Memory is
    that of three D x D matrices, whatever the batch: rows are converted in small pieces.

    Args:
        size: Integer D, the length of a row.

    Attributes:
        count: Integer, number of rows so far.
        mean: Array (D,), float64.

    Raises:
        ZooError: Size is not positive.

    Example:

    >>> sigma = Covariance(2)
    >>> sigma.update([[1.0, 0.0], [3.0, 0.0]])
    >>> sigma.moment
    array([[5., 0.],
           [0., 0.]])
    """

    def __init__(self, size: int):
        if size < 1:
            raise ZooError(f"The size of a covariance must be positive. Received: size={size}")
        self.size, self.count = size, 0
        self.mean = np.zeros(size)
        self._scatter = np.zeros((size, size))

    def update(self, rows: Any) -> None:
        """Adds rows.

        Args:
            rows: Array (…, D); all leading dimensions count examples, so every position of a
                (N, H, W, C) map is one.

        Raises:
            ZooError: The last dimension is not D, or a value is not finite; nothing is added then.
        """
        rows = np.asarray(rows)
        if rows.ndim < 2 or rows.shape[-1] != self.size:
            raise ZooError(f"Rows must have the shape (…, {self.size}). Received: {rows.shape}")
        rows = rows.reshape(-1, self.size)
        step = max(1, _PIECE // self.size)
        pieces = [rows[i : i + step] for i in range(0, len(rows), step)]
        if not all(np.isfinite(piece).all() for piece in pieces):
            raise ZooError("Rows of a covariance must be finite. Received NaN or infinity.")
        for piece in pieces:
            self._add(piece.astype("float64"))

    def _add(self, piece: np.ndarray) -> None:
        mean = piece.mean(axis=0)
        piece -= mean
        self._scatter += piece.T @ piece
        self._shift(len(piece), mean)

    def _shift(self, count: int, mean: np.ndarray) -> None:
        total = self.count + count
        step = mean - self.mean
        self._scatter += np.outer(step * (self.count * count / total), step)
        self.mean += step * (count / total)
        self.count = total

    def merge(self, other: "Covariance") -> None:
        """Adds what another one has seen.

        Args:
            other: `Covariance` of the same size.

        Raises:
            ZooError: It is of another size.
        """
        if other.size != self.size:
            raise ZooError(f"Sizes must agree. Received: {self.size} and {other.size}")
        if other.count:
            self._scatter += other._scatter
            self._shift(other.count, other.mean)

    @property
    def covariance(self) -> np.ndarray:
        """(D, D) float64, centred, divided by the count.

        Raises:
            ZooError: Nothing was added yet.
        """
        return self._scatter / self._counted()

    @property
    def moment(self) -> np.ndarray:
        """E[x x^T], (D, D) float64: what Huang et al. call the covariance matrix (section 3.1).

        Raises:
            ZooError: Nothing was added yet.
        """
        moment = self._scatter / self._counted()
        moment += np.outer(self.mean, self.mean)
        return moment

    def _counted(self) -> int:
        if not self.count:
            raise ZooError("A covariance needs at least one row. Received none.")
        return self.count
