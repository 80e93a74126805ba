"""The end of a detector's training: measurement, and the checkpoint in the run folder."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import keras

import zoo
from training.detection.measure import few, measure, plain
from training.detection.network import arguments, copy_of
from training.detection.recipe import DetectionRecipe
from zoo.checkpoint.card import Card, Metric, Origin, Training
from zoo.checkpoint.folder import save_checkpoint
from zoo.checkpoint.new import new_card
from zoo.detection.annotated import AnnotatedImages
from zoo.files import write_atomically


def finish(
    recipe: DetectionRecipe,
    run: Path,
    model: keras.Model,
    photos: AnnotatedImages,
    history: list[dict],
    learned: int,
) -> dict[str, Any]:
    """Writes `run/checkpoint` (float32), `run/metrics.json` and `run/results.json`, the findings
    on the validation photos in COCO's format; `learned` photos were trained on.

    Returns:
        The figures: "box" and "mask" -> name -> value.
    """
    args = arguments(recipe, photos.labels)
    network = copy_of(model, recipe, photos.labels)
    print(f"Looking for objects in {len(photos)} photos …", flush=True)
    figures, results = measure(network, photos, recipe.preprocess, recipe.batch_size)
    save_checkpoint(
        network,
        run / "checkpoint",
        _card(recipe, args, run, network, photos, history, learned, figures),
    )
    write_atomically(run / "results.json", json.dumps(results).encode())
    write_atomically(run / "metrics.json", json.dumps(plain(figures), indent=2).encode())
    print(json.dumps(few(figures), indent=2))
    return figures


def _card(
    recipe: DetectionRecipe,
    args: dict[str, Any],
    run: Path,
    network: keras.Model,
    photos: AnnotatedImages,
    history: list[dict],
    learned: int,
    figures: dict[str, dict[str, Any]],
) -> Card:
    about = json.loads((run / "run.json").read_text())
    before = recipe.weights or recipe.backbone_weights
    return new_card(
        network,
        f"{recipe.model}.{recipe.tag}",
        args=args,
        preprocess=dataclasses.replace(
            recipe.preprocess, size=tuple(recipe.size), resize=min(recipe.size)
        ),
        labels=photos.labels,
        metrics=_metrics(recipe, figures, len(photos)),
        training=Training(
            recipe=about["name"],
            settings=tuple(_without_path(setting) for setting in about["settings"]),
            origin=Origin.of(zoo.card(before)) if before else None,
            commit=about["commit"],
            data=recipe.data if recipe.data == "coco2017" else Path(recipe.data).name,
            # Begun passes over the photos; a row of the history is a round of updates.
            epochs=math.ceil(recipe.steps * recipe.batch_size / learned),
            seed=recipe.seed,
            backend=about["backend"],
            device=about["device"],
            wall_time=sum(row["seconds"] for row in history),
            published=recipe.published,
        ),
        license="Apache-2.0",
    )


def _metrics(
    recipe: DetectionRecipe, figures: dict[str, dict[str, Any]], photos: int
) -> tuple[Metric, ...]:
    data = recipe.data if recipe.data == "coco2017" else Path(recipe.data).name
    command = (
        f"python -m training.detection.evaluate {recipe.model}.{recipe.tag} --data {data} "
        f"--split {recipe.validation}"
    )
    if recipe.validation == "train" and recipe.limit:
        command += f" --limit {recipe.limit}"
    return tuple(
        Metric(data, recipe.validation, name, value, photos, command)
        for name, value in few(figures).items()
        if value == value  # not NaN, as where no object has an outline
    )


def _without_path(setting: str) -> str:
    """A card names the folder of photos, not where it was on somebody's disk."""
    key, _, value = setting.partition("=")
    return f"data={Path(value).name}" if key == "data" else setting
