"""The end of a classifier's training: statistics, measurement, the checkpoint in the run folder."""

import json
import re
from pathlib import Path

import keras
import numpy as np

import zoo
from training.data import Images
from training.data.pipeline import pictures
from training.data.table import DATASETS
from training.tasks.classification.measure import measure
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.provenance import LICENSE, provenance
from zoo.callbacks import recalibrate_batch_norm
from zoo.checkpoint.folder import save_checkpoint
from zoo.checkpoint.new import new_card
from zoo.files import write_atomically
from zoo.models.transfer import copy_weights


def finish(
    recipe: ClassificationRecipe, run: Path, trainer, train_set, test_set, history: list[dict]
) -> dict:
    """Writes `run/checkpoint` (float32) and `run/metrics.json` from a finished training.

    BatchNorm statistics are estimated anew on `recipe.recalibrate` training images, without
    augmentation, before the measurement that counts; the one before is reported beside it.

    Returns:
        The metrics: split -> name -> value, and the test metrics before recalibration.
    """
    # Measured and stored in float32, whatever the training step computed in, and without the
    # layers that only training needs.
    args = {
        "input_shape": [*recipe.preprocess.size, recipe.preprocess.channels],
        "num_classes": len(train_set.labels),
        **recipe.model_args,
    }
    args.pop("modulation", None)
    network = zoo.create(recipe.model, **args)
    copy_weights(trainer.get_layer(recipe.model), network, but=["modulation"])

    metrics = {}
    if recipe.recalibrate:
        print("Evaluating with the moving averages of the training …", flush=True)
        moving = measure(network, test_set, recipe.preprocess)
        metrics[f"{recipe.measured_on}, moving averages"] = moving
        _recalibrate(recipe, network, train_set)
    print("Evaluating …", flush=True)
    metrics[recipe.measured_on] = measure(network, test_set, recipe.preprocess)
    metrics["train"] = measure(network, train_set, recipe.preprocess)

    training = provenance(
        recipe,
        run,
        history,
        recipe.weights,
        data=recipe.data,
        epochs=recipe.epochs,
        recalibrated=min(recipe.recalibrate, len(train_set.y)),
        curve=tuple(
            (row["epoch"], 1 - row["accuracy"], _error(row.get("test_accuracy"))) for row in history
        ),
    )
    known = DATASETS.get(recipe.data)  # tests read sets of their own
    card = new_card(
        network,
        f"{recipe.model}.{recipe.tag or _tag(recipe.data)}",
        args=args,
        preprocess=recipe.preprocess,
        labels=train_set.labels,
        training=training,
        license=LICENSE,
        **({"terms": known.terms, "label_ids": known.label_ids} if known else {}),
    )
    save_checkpoint(network, run / "checkpoint", card)
    write_atomically(run / "metrics.json", json.dumps(metrics, indent=2).encode())
    print(json.dumps(metrics, indent=2))
    return metrics


def _tag(data: str) -> str:
    """The name of a data set or a folder as the name of a checkpoint may have it."""
    return re.sub("[^a-z0-9_-]", "_", data.lower())[:100]


def _recalibrate(recipe: ClassificationRecipe, network: keras.Model, images: Images) -> None:
    count = min(recipe.recalibrate, len(images.y))
    print(f"Estimating BatchNorm statistics from {count} training images …", flush=True)
    index = np.random.default_rng(recipe.seed).permutation(len(images.y))[:count]
    # In parts: decoded pictures are larger than what the model takes of them.
    parts = (index[i : i + 500] for i in range(0, count, 500))
    inputs = np.concatenate(
        [zoo.preprocess(recipe.preprocess, pictures(images.x, part)) for part in parts]
    )
    recalibrate_batch_norm(network, inputs, recipe.recalibrate_batch)


def _error(accuracy: float | None) -> float | None:
    return None if accuracy is None else 1 - accuracy
