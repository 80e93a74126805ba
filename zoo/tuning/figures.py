"""What a net's outputs for pictures are worth: probabilities, loss, accuracy, confusion."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from zoo.preprocessing import Preprocess, normalize


def outputs(
    model: keras.Model,
    x: np.ndarray,
    rows: np.ndarray,
    settings: Preprocess,
    size: int,
    tell: Callable[[int], None] | None = None,
    mirrored: bool = False,
) -> np.ndarray:
    """What a model gives for pictures as they are, without augmentation.

    Args:
        model: keras.Model, with one output of shape (N, K).
        x: uint8 array (N, H, W, C).
        rows: int array (n,), of `x`.
        settings: Preprocess, for `normalize`.
        size: int, pictures that are run at a time.
        tell: function that is told how many pictures are done.
        mirrored: bool, whether left and right are exchanged.

    Returns:
        float32 array (n, K).
    """
    results = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        pixels = x[np.resize(part, size)]  # one shape: nothing is compiled for the last batch
        if mirrored:
            pixels = pixels[:, :, ::-1]
        results.append(model.predict_on_batch(normalize(pixels, settings))[: len(part)])
        if tell:
            tell(start + len(part))
    return np.concatenate(results).astype("float32")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of rows of logits, in float64.

    Args:
        logits: float array (N, K).

    Example:

    >>> softmax(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """
    logits = logits.astype("float64")
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss_and_accuracy(probabilities: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy in nats, and the share of examples whose class is the most probable.

    Args:
        probabilities: float array (N, K).
        y: int array (N,), classes.

    Example:

    >>> loss_and_accuracy(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]))
    (0.34657359027997264, 1.0)
    """
    own = np.maximum(probabilities[np.arange(len(y)), y], 1e-12)
    right = probabilities.argmax(axis=1) == y
    return float(-np.log(own).mean()), float(right.mean())


def confusion(predicted: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """How often which class was taken for which.

    Args:
        predicted: int array (N,).
        y: int array (N,), the true classes.
        classes: int.

    Returns:
        int array (classes, classes): rows are true, columns predicted.

    Example:

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(classes * y + predicted, minlength=classes**2).reshape(classes, classes)


def most_confused(
    matrix: np.ndarray, labels: Sequence[str], count: int = 5
) -> tuple[tuple[str, str, int], ...]:
    """The most frequent mistakes.

    Args:
        matrix: of `confusion`.
        labels: sequence of str, the classes.
        count: int, mistakes at most.

    Returns:
        tuple of (true class, predicted class, how often), the most frequent first.

    Example:

    >>> most_confused(np.array([[1, 2], [0, 1]]), ["cat", "dog"])
    (('cat', 'dog', 2),)
    """
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = [divmod(int(i), len(labels)) for i in order if wrong.flat[i]]
    return tuple((labels[i], labels[j], int(wrong[i, j])) for i, j in pairs)
