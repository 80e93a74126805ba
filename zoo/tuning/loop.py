"""The epochs of fine-tuning, a row of the history and a state behind each."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.optimizers import SGD
from zoo.tuning.batches import Batches
from zoo.tuning.messages import Messages
from zoo.tuning.state import Progress, save_progress

# The body's rate as a part of the classifier's: its weights are good already.
BODY_RATE = 0.5
LOWER = "Try a lower learning_rate (--learning-rate)."
Figures = dict[str, float]


def compile_model(
    model: keras.Model, head: str, *, learning_rate: float, epochs: int, steps: int
) -> None:
    """Compiles a model for fine-tuning: SGD whose rate rises in the first epoch and falls to 0 by
    a cosine, lower in the body than in the head.

    Args:
        model: keras.Model, whose outputs are logits.
        head: str, name of the layer that classifies.
        learning_rate: float, highest, of the head.
        epochs: int.
        steps: int, of an epoch.
    """
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(epochs - 1, 1) * steps, warmup_target=learning_rate, warmup_steps=steps
    )
    variables = model.trainable_variables
    body = {"*": BODY_RATE} if any(not v.path.startswith(f"{head}/") for v in variables) else {}
    model.compile(
        # A net without shortcuts may meet a batch whose gradient is many times the usual one.
        SGD(rate, 0.9, nesterov=True, multipliers={f"{head}/*": 1.0, **body}, global_clipnorm=5.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # "auto" would compile with XLA on TensorFlow, long, and for nothing on a CPU.
        jit_compile=keras.backend.backend() == "jax",
    )
    model.optimizer.build(variables)  # so that a state can be put into it


def fit(
    model: keras.Model,
    batches: Batches,
    progress: Progress,
    place: Path,
    *,
    epochs: int,
    patience: int,
    validate: Callable[[], Figures],
    messages: Messages,
) -> None:
    """Trains from where `progress` is to the end, or until it has not improved for long.

    Args:
        model: keras.Model, compiled, in the state of `progress`.
        batches: Batches.
        progress: Progress, which gets a row for each epoch.
        place: Path, folder of the state.
        epochs: int, at most, those of `progress` counted.
        patience: int, epochs without improvement after which it ends.
        validate: function that gives "validation_loss" and "validation_accuracy".
        messages: Messages.
    """
    for epoch in range(len(progress.history) - 1, epochs):
        if epoch - progress.best_row["epoch"] >= patience:
            messages.say(f"no better for {patience} epochs: training ends here")
            return
        began, shown = time.perf_counter(), f"epoch {epoch + 1} of {epochs}"

        def tell(step: int, shown: str = shown) -> None:
            messages.show(f"{shown}: step {step} of {batches.steps}")

        figures = model.fit(
            batches.epoch(epoch),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # `batches` do
            verbose=0,
            callbacks=[_Steps(tell)],
        ).history
        if not math.isfinite(figures["loss"][-1]):
            messages.say(f"{shown}: the loss is not finite, training ends here. {LOWER}")
            return
        row: dict[str, Any] = {"epoch": epoch + 1}
        row |= {key: float(figures[key][-1]) for key in ("loss", "accuracy")}
        row |= validate()
        row["seconds"] = round(time.perf_counter() - began, 2)
        progress.add(row, model)
        save_progress(place, model, progress)
        messages.say(f"{shown}: {in_words(row)}")


def in_words(row: Mapping[str, Any]) -> str:
    """A row of the history for people.

    Args:
        row: mapping, with "validation_accuracy", "validation_loss" and "accuracy".

    Example:

    >>> in_words({"accuracy": 0.5, "validation_accuracy": 0.25, "validation_loss": 2.0})
    'validation 25.0% (loss 2.000), training 50.0%'
    """
    return (
        f"validation {row['validation_accuracy']:.1%} (loss {row['validation_loss']:.3f}), "
        f"training {row['accuracy']:.1%}"
    )


class _Steps(keras.callbacks.Callback):
    """Tells the number of the step after each."""

    def __init__(self, tell: Callable[[int], None]):
        super().__init__()
        self.tell = tell

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tell(batch + 1)
