"""Classification: one label for a picture."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.hub import loading
from zoo.models.cost import multiply_adds
from zoo.outputs import output_activation
from zoo.preprocessing import as_sequence, how_of, prepare
from zoo.tasks.labels import labels_or_numbers

NAME = "classification"


class Classification:
    """The task "classification"; see `zoo.tasks.Task`."""

    name = NAME

    def predict(self, model: keras.Model, images: Any, **options: Any) -> list:
        """As `zoo.predict`."""
        return predict(model, images, **options)

    def labels(self, model: keras.Model) -> tuple[str, ...]:
        """The names of a model's outputs, "class 0", … where its card has none."""
        return labels_or_numbers(model, model.output_shape[-1])

    def multiply_adds(self, model: keras.Model) -> int:
        """Multiply-adds for one picture."""
        return multiply_adds(model)


CLASSIFICATION = Classification()


def predict(
    model: keras.Model | str | os.PathLike, images: Any, top: int = 5, batch_size: int = 32
) -> list:
    """The most probable classes of one picture or many.

    Preprocessing and labels are those on the model's card. Outputs of a softmax or sigmoid are
    given as they are, softmax is applied to those of a linear layer (logits); where the last
    layer does not tell, outputs whose rows all are probabilities already (not negative, sum 1
    within 1e-3) are given as they are, and softmax is applied to others.

    Args:
        model: a model of `zoo.load`, or what `zoo.load` takes: a name or a checkpoint folder.
        images: one picture, a list of pictures or an array (N, H, W, C), as for
            `zoo.preprocess`.
        top: how many classes to give, at least 1; all, where the model has fewer.
        batch_size: pictures that are read and run at a time.

    Returns:
        [(label, probability), …], the most probable first; for a list or a batch a list of such.
        Where the card has no labels for the model's outputs, as with a new head, classes are
        called "class 0", "class 1", ….

    Raises:
        ImageError: a picture cannot be read.
        ZooError: the model has no card or is no classifier, or `top` or `batch_size` is below 1.

    Example:

    >>> label, probability = zoo.predict("maxnorm_plainnet50.cifar10", "cat.png")[0]
    """
    for name, value in {"top": top, "batch_size": batch_size}.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ZooError(f"{name} must be an integer of at least 1. Received: {name}={value!r}")
    if isinstance(model, str | os.PathLike):
        model = loading.load(model)
    _check_classifier(model)
    how = how_of(model)
    sequence, single = as_sequence(images)
    if not len(sequence):
        return []
    outputs = [
        model.predict_on_batch(prepare(how, sequence[start : start + batch_size], start))
        for start in range(0, len(sequence), batch_size)
    ]
    probabilities = _probabilities(np.concatenate(outputs).astype("float64"), model)
    names = labels_or_numbers(model, probabilities.shape[1])
    results = [_ranked(row, names, top) for row in probabilities]
    return results[0] if single else results


def _check_classifier(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise ZooError(
            "model must be a model of zoo.load, a name or a checkpoint folder. "
            f"Received: {type(model).__name__}"
        )
    if getattr(model, "task", NAME) != NAME:
        raise ZooError(f"{model.name} is a detector: zoo.detection.predict finds its objects.")
    if len(getattr(model, "outputs", ())) != 1 or len(model.output_shape) != 2:
        raise ZooError(
            f"{model.name} is no classifier: its output must be of shape (N, classes). "
            f"Received: {getattr(model, 'output_shape', None)}"
        )
    head = getattr(getattr(model, "zoo_card", None), "head", ())
    if head and not any(layer.name in head for layer in model.layers):
        raise ZooError(
            f"{model.name} is no classifier: it has no layer {' or '.join(map(repr, head))} and "
            "gives features. Load it without num_classes=0 or features=True."
        )


def _probabilities(outputs: np.ndarray, model: keras.Model) -> np.ndarray:
    if not np.isfinite(outputs).all():
        raise ZooError(f"{model.name} gives NaN or infinity for these images.")
    activation = output_activation(model)
    if activation in ("softmax", "sigmoid"):
        return outputs
    rows_are = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, rtol=0, atol=1e-3)
    if activation != "linear" and rows_are:
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _ranked(row: np.ndarray, labels: Sequence[str], top: int) -> list[tuple[str, float]]:
    order = np.argsort(-row, kind="stable")[:top]
    return [(labels[i], float(row[i])) for i in order]
