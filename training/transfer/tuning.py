"""The whole net trained on another set, from a checkpoint and from fresh weights."""

import dataclasses
import json
from pathlib import Path

import zoo
from training.tasks.classification.recipe import ClassificationRecipe
from training.train import train
from zoo.checkpoint.card import Card
from zoo.registry import find

RATES = {"fine-tuned": 0.02, "from scratch": 0.1}  # peak rates; a fresh net takes larger steps
BATCH = 64
# Pictures that are something else in a mirror.
NEVER_FLIPPED = ("mnist", "usps")


def recipe(
    checkpoint: str,
    card: Card,
    data: str,
    method: str,
    *,
    examples: int,
    images: int,
    fraction: float,
    seed: int,
    size: int | None,
    leave_out: tuple[str, ...],
) -> ClassificationRecipe:
    """The training of one net on one set.

    Both methods see `images` pictures, in whole passes over the set.

    Args:
        checkpoint: where the fine-tuned net starts from, as `zoo.load` takes it.
        card: its card.
        data: the set.
        method: a key of `RATES`.
        examples: training images of the set.
        images: budget of the training.
        fraction: of each class that is trained on.
        seed: of weights, choice of images and augmentation.
        size: side of the pictures; None for the checkpoint's.
        leave_out: classes that are left out.
    """
    options = find(card.architecture).options
    args = {key: value for key, value in card.args.items() if key in options}
    for key in ("input_shape", "num_classes", "modulation"):
        args.pop(key, None)
    preprocess = card.preprocess
    if size is not None:
        preprocess = dataclasses.replace(preprocess, size=(size, size), resize=size)
    epochs = max(1, round(images / examples))
    return ClassificationRecipe(
        model=card.architecture,
        tag="transfer",
        data=data,
        epochs=epochs,
        learning_rate=RATES[method],
        weights=checkpoint if method == "fine-tuned" else "",
        batch_size=min(BATCH, examples),
        warmup_epochs=1 if epochs > 4 else 0,
        flip=data not in NEVER_FLIPPED,
        resized_crop=True,
        label_smoothing=0.1,
        validate_every=0,
        recalibrate_batch=500,
        seed=seed,
        leave_out=leave_out,
        fraction=fraction,
        preprocess=preprocess,
        model_args=args,
    )


def accuracy(run: Path, settings: ClassificationRecipe, data_dir: str) -> float:
    """The test accuracy of a training, which is done first where `run` has none to its end."""
    file = run / "metrics.json"
    if not file.exists():
        train(settings, run, data_dir, name="transfer")
    return json.loads(file.read_text())["test"]["top1"]


def same_classes(labels: tuple[str, ...], checkpoints: list[str]) -> tuple[str, ...]:
    """The classes of a set that one of the checkpoints has learned already, by name or number."""
    learned: set[str] = set()
    for card in map(zoo.card, checkpoints):
        learned |= {name.casefold() for name in (*card.labels, *(card.label_ids or ()))}
    return tuple(label for label in labels if label.casefold() in learned)
