"""Batches of a training: the same for any backend and after a resume, by seed and epoch."""

from dataclasses import dataclass

import keras
import numpy as np

from zoo.preprocessing import Preprocess, normalize


@dataclass(frozen=True)
class Batches:
    """Training pictures, in another order and otherwise cut in each epoch.

    A picture is shifted by up to an eighth of each side, what is missing reflected, and mirrored
    with probability 1/2.

    Attributes:
        x: uint8 array (N, H, W, C).
        rows: int array, rows of `x` to learn from.
        y: int array, their classes.
        size: int, pictures in a batch.
        settings: Preprocess, for `normalize`.
        seed: int.
        flip: bool, whether pictures are mirrored.
    """

    x: np.ndarray
    rows: np.ndarray
    y: np.ndarray
    size: int
    settings: Preprocess
    seed: int
    flip: bool

    @property
    def steps(self) -> int:
        """Batches of an epoch; the last one is filled up with pictures of the first."""
        return -(-len(self.rows) // self.size)

    def epoch(self, epoch: int) -> "_Sequence":
        """What `fit` takes for one epoch.

        Args:
            epoch: int, from 0.
        """
        return _Sequence(self, epoch)

    def batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """One batch: prepared pictures and classes.

        Args:
            order: int array, positions in `rows`, of the whole epoch.
            epoch: int.
            step: int.
        """
        chosen = order[step * self.size : (step + 1) * self.size]
        rng = np.random.default_rng([self.seed, epoch, step])
        pixels = augment(self.x, self.rows[chosen], rng.random((len(chosen), 3)), self.flip)
        return normalize(pixels, self.settings), self.y[chosen]

    def order(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch, filled up to whole batches.

        Args:
            epoch: int.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))
        return np.resize(order, self.steps * self.size)


class _Sequence(keras.utils.PyDataset):
    def __init__(self, batches: Batches, epoch: int):
        super().__init__(workers=1, max_queue_size=4)
        self.batches, self.epoch, self.order = batches, epoch, batches.order(epoch)

    def __len__(self) -> int:
        return self.batches.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batches.batch(self.order, self.epoch, step)


def augment(x: np.ndarray, rows: np.ndarray, draws: np.ndarray, flip: bool) -> np.ndarray:
    """Pictures, shifted and mirrored.

    Args:
        x: uint8 array (N, H, W, C), perhaps mapped from a file: only what is needed is read.
        rows: int array (n,), of `x`.
        draws: float array (n, 3), uniform in [0, 1): shifts down and to the right, mirror.
        flip: bool, whether to mirror where the last draw is below 1/2.

    Returns:
        uint8 array (n, H, W, C).

    Example:

    >>> x = np.arange(8, dtype="uint8").reshape(1, 1, 8, 1)
    >>> augment(x, np.array([0]), np.array([[0.5, 0.99, 0.3]]), flip=True).ravel()
    array([6, 7, 6, 5, 4, 3, 2, 1], dtype=uint8)
    """
    down, right = (_shifted(x.shape[i], draws[:, i - 1]) for i in (1, 2))
    if flip:
        right = np.where(draws[:, 2:] < 0.5, right[:, ::-1], right)
    return x[rows[:, None, None], down[:, :, None], right[:, None, :]]


def _shifted(side: int, draws: np.ndarray) -> np.ndarray:
    """(n, side) indices of a side that is shifted by up to an eighth, reflected at its ends."""
    most = side // 8
    start = np.floor(draws * (2 * most + 1)).astype(int) - most
    index = np.abs(start[:, None] + np.arange(side))
    return side - 1 - np.abs(side - 1 - index)
