"""The training itself: the linear probe, then all of the net."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo.hub import loading
from zoo.models.policy import dtype_policy
from zoo.preprocessing import Preprocess, settings_of
from zoo.tuning import figures, loop
from zoo.tuning.batches import Batches
from zoo.tuning.linear_probe import fit_softmax
from zoo.tuning.messages import Messages
from zoo.tuning.pictures import Pictures
from zoo.tuning.settings import Settings
from zoo.tuning.state import Progress, restore_progress, save_progress

VALIDATION_BATCH = 64
MIRRORED = 10_000  # training pictures up to which the probe sees each mirrored, too


@dataclass(frozen=True)
class Data:
    """Pictures, and which are for what.

    Attributes:
        pictures: Pictures.
        train: int array, positions among the pictures of those to learn from.
        valid: int array, of those to validate with.
    """

    pictures: Pictures
    train: np.ndarray
    valid: np.ndarray

    def rows(self, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `pictures.x` and their classes.

        Args:
            part: `train` or `valid`.
        """
        return self.pictures.rows[part], self.pictures.y[part]


def load(checkpoint: str | os.PathLike, settings: Settings, classes: int) -> keras.Model:
    """The pretrained net with a new head that gives logits, under the dtype policy of training.

    Args:
        checkpoint: as for `zoo.load`.
        settings: Settings.
        classes: int.
    """
    with dtype_policy(settings.policy):
        return loading.load(
            checkpoint,
            num_classes=classes,
            activation=None,
            input_shape=settings.input_shape,
            freeze=settings.freeze,
        )


def train(
    model: keras.Model, data: Data, settings: Settings, place: Path, messages: Messages
) -> Progress:
    """Fits the head, then trains everything that is not frozen; goes on from a state in `place`.

    Args:
        model: keras.Model, of `load`.
        data: Data.
        settings: Settings.
        place: Path, folder of the state.
        messages: Messages.

    Returns:
        Progress, the row of the probe first.
    """
    head, preprocess = model.zoo_card.head[0], settings_of(model)
    rows, y = data.rows(data.train)
    batches = Batches(
        data.pictures.x,
        *(rows, y, min(settings.batch_size, len(rows)), preprocess),
        *(settings.seed, settings.flip),
    )
    epochs = settings.epochs_for(len(rows))
    loop.compile_model(
        *(model, head),
        learning_rate=settings.learning_rate,
        epochs=epochs,
        steps=batches.steps,
    )
    valid_rows, valid_y = data.rows(data.valid)

    def validate() -> dict[str, float]:
        logits = figures.outputs(model, data.pictures.x, valid_rows, preprocess, VALIDATION_BATCH)
        loss, accuracy = figures.loss_and_accuracy(figures.softmax(logits), valid_y)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    progress = restore_progress(place, model)
    if progress is None:
        progress, began = Progress(), time.perf_counter()
        loss, accuracy = _probe(model, head, data, preprocess, settings.flip, messages)
        row = {"epoch": 0, "loss": loss, "accuracy": accuracy, **validate()}
        progress.add(row | {"seconds": round(time.perf_counter() - began, 2)}, model)
        save_progress(place, model, progress)
        messages.say(f"linear probe: {loop.in_words(row)}")
    else:
        messages.say(f"going on after epoch {len(progress.history) - 1} of {epochs}")
    loop.fit(
        *(model, batches, progress, place),
        epochs=epochs,
        patience=settings.patience(epochs),
        validate=validate,
        messages=messages,
    )
    return progress


def _probe(
    model: keras.Model,
    head: str,
    data: Data,
    preprocess: Preprocess,
    flip: bool,
    messages: Messages,
) -> tuple[float, float]:
    """Gives the head the best linear classifier of the features; its loss and accuracy on them."""
    layer = model.get_layer(head)
    body = keras.Model(model.input, layer.input)
    rows, y = data.rows(data.train)
    views = (False, True) if flip and len(rows) <= MIRRORED else (False,)
    parts = []
    for turn, mirrored in enumerate(views):
        total = len(views) * len(rows)

        def tell(count: int, before: int = turn * len(rows), total: int = total) -> None:
            messages.show(f"linear probe: features of {before + count:,} of {total:,} pictures")

        parts.append(
            figures.outputs(
                *(body, data.pictures.x, rows, preprocess, VALIDATION_BATCH), tell, mirrored
            )
        )
    features, y = np.concatenate(parts), np.tile(y, len(views))
    messages.show("linear probe: fitting")
    kernel, bias = fit_softmax(features, y, len(data.pictures.classes))
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    return figures.loss_and_accuracy(figures.softmax(features @ kernel + bias), y)
