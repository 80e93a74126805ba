"""What the outputs of a model are."""

from collections.abc import Sequence

import keras
import numpy as np


def last_layer(model: keras.Model) -> keras.Layer:
    """The last layer of a model, and of the model in it that comes last.

    Args:
        model: keras.Model, built.

    Returns:
        keras.Layer.
    """
    last = model.layers[-1]
    return last_layer(last) if isinstance(last, keras.Model) and last.layers else last


def output_activation(model: keras.Model) -> str:
    """Name of the activation of a model's last layer.

    Args:
        model: keras.Model, built.

    Returns:
        "softmax" for class probabilities, "linear" for logits, "" where the layer has none.
    """
    last = last_layer(model)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", "")


def to_probabilities(outputs: np.ndarray, activation: str) -> np.ndarray:
    """Class probabilities from the outputs of a classifier.

    Args:
        outputs: finite array (N, classes).
        activation: str, of `output_activation`. Without a name ("") outputs whose rows all are
            probabilities already are taken as they are.

    Returns:
        Array (N, classes): of one output its sigmoid, of several their softmax, where the model
        does not apply it.
    """
    if activation in ("softmax", "sigmoid"):
        return outputs
    if outputs.shape[1] == 1:
        if activation != "linear" and ((outputs >= 0) & (outputs <= 1)).all():
            return outputs
        return 0.5 * (1 + np.tanh(outputs / 2))
    rows_are = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, rtol=0, atol=1e-3)
    if activation != "linear" and rows_are:
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def ranked(
    probabilities: np.ndarray, labels: Sequence[str], top: int
) -> list[list[tuple[str, float]]]:
    """The most probable classes of each row, (label, probability), the first one first.

    Args:
        probabilities: array (N, classes).
        labels: sequence of str, as many as classes; two for one column, that of the second label.
        top: int, classes of a row at most.
    """
    if probabilities.shape[1] == 1 and len(labels) == 2:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    orders = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        [(labels[i], float(row[i])) for i in order]
        for row, order in zip(probabilities, orders, strict=True)
    ]
