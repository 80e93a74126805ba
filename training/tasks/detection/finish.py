"""The end of a detector's training: measurement, and the checkpoint in the run folder."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import keras

from training.tasks.detection.measure import headline, measure, without_nan
from training.tasks.detection.network import arguments, copy_of
from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.provenance import LICENSE, provenance
from training.tasks.task import Data
from zoo.checkpoint.card import Metric
from zoo.checkpoint.folder import save_checkpoint
from zoo.checkpoint.new import new_card
from zoo.files import write_atomically


def finish(
    recipe: DetectionRecipe, data: Data, run: Path, model: keras.Model, history: list[dict]
) -> dict[str, Any]:
    """Writes `run/checkpoint` (float32), `run/metrics.json` and `run/results.json`, the detections
    on the validation photos in COCO's format.

    Returns:
        The figures: "box" and "mask" -> name -> value.
    """
    network = copy_of(model, recipe, data.labels)
    print(f"Looking for objects in {len(data.test)} photos …", flush=True)
    figures, results = measure(network, data.test, recipe.preprocess, recipe.batch_size)
    training = provenance(
        recipe,
        run,
        history,
        recipe.weights or recipe.backbone_weights,
        data=name_of(recipe.data),
        # Begun passes over the photos; a row of the history is a round of updates.
        epochs=math.ceil(recipe.steps * recipe.batch_size / data.counts["train"]),
    )
    settings = tuple(_without_path(setting) for setting in training.settings)
    card = new_card(
        network,
        f"{recipe.model}.{recipe.tag}",
        args=arguments(recipe, data.labels),
        preprocess=dataclasses.replace(
            recipe.preprocess, size=tuple(recipe.size), resize=min(recipe.size)
        ),
        labels=data.labels,
        metrics=_metrics(recipe, figures, len(data.test)),
        training=dataclasses.replace(training, settings=settings),
        license=LICENSE,
    )
    save_checkpoint(network, run / "checkpoint", card)
    write_atomically(run / "results.json", json.dumps(results).encode())
    write_atomically(run / "metrics.json", json.dumps(without_nan(figures), indent=2).encode())
    print(json.dumps(headline(figures), indent=2))
    return figures


def _metrics(
    recipe: DetectionRecipe, figures: dict[str, dict[str, Any]], photos: int
) -> tuple[Metric, ...]:
    data = name_of(recipe.data)
    command = (
        f"python -m training.evaluate {recipe.model}.{recipe.tag} --data {data} "
        f"--split {recipe.validation}"
    )
    if recipe.validation == "train" and recipe.limit:
        command += f" --limit {recipe.limit}"
    return tuple(
        Metric(data, recipe.validation, name, value, photos, command)
        for name, value in headline(figures).items()
        if value == value  # not NaN, as where no object has an outline
    )


def name_of(data: str) -> str:
    """What a card calls the photos: a folder's name, not where it was on somebody's disk."""
    return data if data == "coco2017" else Path(data).name


def _without_path(setting: str) -> str:
    key, _, value = setting.partition("=")
    return f"data={name_of(value)}" if key == "data" else setting
