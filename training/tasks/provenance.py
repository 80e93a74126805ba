"""Where the weights of a finished training come from, for the card."""

import json
from pathlib import Path
from typing import Any

import zoo
from training.tasks.recipe import Recipe
from zoo.checkpoint.card import Origin, Training

LICENSE = "Apache-2.0"  # of all weights that these trainings make


def provenance(
    recipe: Recipe, run: Path, history: list[dict], started_from: str, **fields: Any
) -> Training:
    """What the card of a checkpoint says of its training.

    Args:
        recipe: of the training.
        run: its folder, with run.json.
        history: of the training, a row for each round.
        started_from: the checkpoint that the training began from; "" for none.
        fields: those of `Training` that the task knows.
    """
    about = json.loads((run / "run.json").read_text())
    return Training(
        **{
            "recipe": about["name"],
            "settings": tuple(about["settings"]),
            "origin": Origin.of(zoo.card(started_from)) if started_from else None,
            "commit": about["commit"],
            "seed": recipe.seed,
            "backend": about["backend"],
            "device": about["device"],
            "wall_time": sum(row["seconds"] for row in history),
            "published": recipe.published,
            **fields,
        }
    )
