"""Accuracy, loss and calibration of a classifier, summed batch by batch."""

import numpy as np

from zoo.errors import ZooError

BINS = 15


class ClassificationScores:
    """What a test set tells about probabilities, whatever the sizes of the batches.

    top1, top5: share of the examples with fewer than 1, or 5, classes ahead of the right one; ties
    count against the model. loss: cross-entropy in nats. ece: expected calibration error

        sum_b n_b / n * |accuracy_b - confidence_b|

    over `BINS` equally wide bins of the greatest probability, ((b - 1) / BINS, b / BINS].

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2.

    Args:
        classes: number of classes.

    Attributes:
        n: examples so far.
        confusion: (classes, classes) counts, a row for each right class, a column for each
            predicted one.
        bins: (BINS, 3): examples, sum of confidences and number of right ones in each bin.

    Example:

    >>> scores = ClassificationScores(10)
    >>> scores.add(model.predict(images), labels)
    >>> scores.result()["top1"]
    0.8749
    """

    def __init__(self, classes: int):
        self.n = self._top1 = self._top5 = 0
        self._loss = 0.0
        self.confusion = np.zeros((classes, classes), "int64")
        self.bins = np.zeros((BINS, 3))

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Counts a batch.

        Args:
            probabilities: (N, classes).
            labels: (N,) integers.

        Raises:
            ZooError: a probability is not finite, or the shapes do not fit.
        """
        probabilities, labels = np.asarray(probabilities, "float64"), np.asarray(labels)
        if probabilities.shape != (len(labels), len(self.confusion)):
            raise ZooError(
                f"{len(labels)} examples of {len(self.confusion)} classes need probabilities of "
                f"that shape. Received: {probabilities.shape}"
            )
        if not np.isfinite(probabilities).all():
            raise ZooError("The model's probabilities are not finite: it cannot be measured.")
        own = np.take_along_axis(probabilities, labels[:, None], axis=1)
        ahead = (probabilities >= own).sum(axis=1) - 1
        self.n += len(labels)
        self._top1 += int((ahead < 1).sum())
        self._top5 += int((ahead < 5).sum())
        self._loss -= float(np.log(np.maximum(own, 1e-12)).sum())
        np.add.at(self.confusion, (labels, probabilities.argmax(axis=1)), 1)
        confidence = probabilities.max(axis=1)
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        rows = np.stack([np.ones(len(labels)), confidence, ahead < 1], axis=1)
        np.add.at(self.bins, bins, rows)

    def result(self) -> dict[str, float]:
        """The scores so far: top1, top5, loss, ece."""
        if not self.n:
            raise ZooError("There are no examples to measure.")
        count, confidence, right = self.bins.T
        return {
            "top1": self._top1 / self.n,
            "top5": self._top5 / self.n,
            "loss": self._loss / self.n,
            "ece": float(np.abs(right - confidence).sum() / count.sum()),
        }
