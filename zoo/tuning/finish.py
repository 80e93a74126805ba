"""The end of a fine-tuning: checkpoint and card, measured on the stored files, and tables."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.checkpoint.card import Card, Metric, Origin, Training
from zoo.checkpoint.folder import load_checkpoint, save_checkpoint, write_card
from zoo.checkpoint.new import REQUIRES
from zoo.models.deferred import build_without_values, fill
from zoo.registry import find
from zoo.tuning import device, figures, out_folder
from zoo.tuning.listing import Listing
from zoo.tuning.report import Tuned, write_tables
from zoo.tuning.settings import Settings
from zoo.tuning.state import Progress
from zoo.tuning.training import VALIDATION_BATCH, Data


def finish(
    name: str,
    origin: Card,
    card: Card,
    data: Data,
    progress: Progress,
    settings: Settings,
    listing: Listing,
    out: Path,
) -> Tuned:
    """Writes the checkpoint with the best weights and what is known about it.

    Args:
        name: str, of the checkpoint, "architecture.tag".
        origin: Card, of the checkpoint that it began from.
        card: Card, of the model that was trained.
        data: Data.
        progress: Progress.
        settings: Settings.
        listing: Listing.
        out: Path, folder.
    """
    pictures = data.pictures
    about = dataclasses.replace(
        card,
        name=name,
        version=1,
        # Classes have probabilities: the architecture's own activation, in place of logits.
        args={key: value for key, value in card.args.items() if key != "activation"},
        labels=pictures.classes,
        label_ids=(),
        metrics=(),
        training=_training(origin, data, progress, settings, listing),
        requires=REQUIRES,
        notes=(
            f"The epoch was chosen on the {len(data.valid):,} validation pictures, so that its "
            "figures on them flatter a little.",
        ),
    )
    save_checkpoint(_model(about, progress.best), out, about)

    stored = load_checkpoint(out)  # what is measured is what the files give
    rows, y = data.rows(data.valid)
    outputs = figures.outputs(
        stored, pictures.x, rows, stored.zoo_card.preprocess, VALIDATION_BATCH
    )
    loss, accuracy = figures.loss_and_accuracy(outputs, y)
    metric: dict[str, Any] = {
        "dataset": listing.folder.resolve().name,
        "split": "validation",
        "n": len(y),
        "command": settings.command(str(listing.folder), str(out)),
    }
    values = {"top1": accuracy, "loss": loss}
    metrics = tuple(Metric(name=key, value=value, **metric) for key, value in values.items())
    write_card(out, dataclasses.replace(stored.zoo_card, metrics=metrics), source=str(out))

    predicted = outputs.argmax(axis=1)
    matrix = figures.confusion(predicted, y, len(pictures.classes))
    validation = [
        (pictures.names[i], pictures.classes[own], pictures.classes[other], float(probability))
        for i, own, other, probability in zip(
            data.valid, y, predicted, outputs.max(axis=1), strict=True
        )
    ]
    write_tables(out, progress.history, matrix, pictures.classes, validation)
    result: Mapping[str, Any] = {
        "accuracy": accuracy,
        "loss": loss,
        "probe_accuracy": progress.history[0]["validation_accuracy"],
        "epochs": len(progress.history) - 1,
        "best_epoch": progress.best_row["epoch"],
        "training_pictures": len(data.train),
        "validation_pictures": len(data.valid),
        "classes": pictures.classes,
        "confused": figures.most_confused(matrix, pictures.classes),
        "seconds": about.training.wall_time,
        "notes": listing.notes + pictures.notes,
    }
    out_folder.end(out, result)
    shutil.rmtree(out / out_folder.WORK, ignore_errors=True)
    return Tuned.of(out, result)


def _training(
    origin: Card, data: Data, progress: Progress, settings: Settings, listing: Listing
) -> Training:
    name = listing.folder.resolve().name
    return Training(
        recipe="",
        settings=tuple(f"{key}={value}" for key, value in settings.changed().items()),
        data=f"{name} ({len(data.train):,} pictures of {len(data.pictures.classes)} classes)",
        epochs=len(progress.history) - 1,
        seed=settings.seed,
        backend=keras.backend.backend(),
        device=device.describe(),
        wall_time=round(sum(row["seconds"] for row in progress.history), 1),
        curve=tuple(
            (row["epoch"], 1 - row["accuracy"], 1 - row["validation_accuracy"])
            for row in progress.history[1:]
        ),
        origin=Origin.of(origin),
    )


def _model(card: Card, weights: Mapping[str, Any]) -> keras.Model:
    """The card's model with the weights, in float32, whatever it was trained in."""
    variant = find(card.architecture)
    model = build_without_values(lambda: variant.build(**variant.parse(card.args)))
    fill(model, weights)
    return model
