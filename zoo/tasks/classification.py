"""Classification: one label for a picture."""

import os
import reprlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.hub import loading
from zoo.models.cost import multiply_adds
from zoo.outputs import last_layer, output_activation, ranked, to_probabilities
from zoo.preprocessing import Preprocess, as_sequence, prepare, settings_of
from zoo.tasks.labels import labels_or_numbers

NAME = "classification"
# What a classifier may end in; "" is for layers without an activation, of foreign models.
_ACTIVATIONS = ("softmax", "sigmoid", "linear", "")
_NO_CLASSIFIERS = (
    keras.layers.BatchNormalization,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.LayerNormalization,
    keras.layers.ReLU,
)


class Classification:
    """The task "classification"; see `zoo.tasks.Task`."""

    name = NAME
    metric = "top1"
    metric_in_words = "accuracy"

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
    model: keras.Model | str | os.PathLike,
    images: Any,
    top: int = 5,
    batch_size: int = 32,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
) -> list:
    """The most probable classes of one picture or many.

    Preprocessing and labels are those on the model's card, where they are not given. Outputs of a
    softmax or sigmoid are given as they are, softmax is applied to those of a linear layer
    (logits); where the last layer does not tell, outputs whose rows all are probabilities already
    (not negative, sum 1 within 1e-3) are given as they are, and softmax is applied to others.

    A single output p is a sigmoid's, applied here where the last layer is linear: the probability
    of its one label, or of the second of two labels, the first having 1 - p.

    Args:
        model: keras.Model of `zoo.load`, or what `zoo.load` takes: a name or a checkpoint folder.
        images: one picture (path, bytes or array), a list of pictures or an array (N, H, W, C), as
            for `zoo.preprocess`.
        top: int, number of classes to give, at least 1; all, where the model has fewer.
        batch_size: int, pictures that are read and run at a time.
        labels: sequence of str, names of the classes in order, for a model without a card (a copy
            by `clone_model` or `pickle`, a `.keras` file).
        preprocess: `zoo.preprocessing.Preprocess`, for such a model.

    Returns:
        list of (label, probability), the most probable first; for a list or a batch a list of such.
        Where neither the card nor `labels` names the model's outputs, as with a new head, classes
        are called "class 0", "class 1", ….

    Raises:
        ImageError: a picture cannot be read.
        ZooError: the model is no classifier, or has no card and `preprocess` is not given; `labels`
            are of another number; `top` or `batch_size` is below 1.

    Example:

    >>> digits = zoo.predict("maxnorm_mlp100.usps", np.zeros((16, 16, 1)), top=3)
    >>> len(digits), digits[0][1] >= digits[1][1]
    (3, True)
    """
    for name, value in {"top": top, "batch_size": batch_size}.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ZooError(f"{name} must be an integer of at least 1. Received: {name}={value!r}")
    if isinstance(model, str | os.PathLike):
        model = loading.load(model)
    _check_classifier(model)
    names = _names(model, labels)
    if preprocess is None:
        preprocess = settings_of(model)
    sequence, single = as_sequence(images)
    if not len(sequence):
        return []
    outputs = [
        model.predict_on_batch(prepare(preprocess, sequence[start : start + batch_size], start))
        for start in range(0, len(sequence), batch_size)
    ]
    values = np.concatenate(outputs).astype("float64")
    if not np.isfinite(values).all():
        raise ZooError(f"{model.name} gives NaN or infinity for these images.")
    results = ranked(to_probabilities(values, output_activation(model)), names, top)
    return results[0] if single else results


def _names(model: keras.Model, labels: Sequence[str] | None) -> tuple[str, ...]:
    count = model.output_shape[1]
    allowed = (1, 2) if count == 1 else (count,)
    if labels is None:
        labels = getattr(getattr(model, "zoo_card", None), "labels", None) or ()
        return tuple(labels) if len(labels) in allowed else labels_or_numbers(model, count)
    if isinstance(labels, str) or len(labels) not in allowed:
        raise ZooError(
            f"labels must be {' or '.join(map(str, allowed))} names, one for each class of "
            f"{model.name}. Received: {reprlib.repr(labels)}"
        )
    return tuple(labels)


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
    last = last_layer(model)
    activation = output_activation(model)
    if isinstance(last, _NO_CLASSIFIERS) or activation not in _ACTIVATIONS:
        raise ZooError(
            f"{model.name} is no classifier: it ends in {last.name} and gives features. Load or "
            "create it without num_classes=0 or features=True."
        )
    if model.output_shape[1] == 1 and activation == "softmax":
        raise ZooError(
            f"{model.name} has one output, whose softmax is always 1. Load or create it with "
            "activation='sigmoid' or None."
        )
    head = getattr(getattr(model, "zoo_card", None), "head", ())
    if head and not any(layer.name in head for layer in model.layers):
        raise ZooError(
            f"{model.name} is no classifier: it has no layer {' or '.join(map(repr, head))} and "
            "gives features. Load it without num_classes=0 or features=True."
        )
