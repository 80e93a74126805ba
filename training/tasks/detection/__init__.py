"""Detection: boxes, classes and masks of the objects in a photo."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from training.data.pipeline import Share
from training.engines.engine import Engine
from training.tasks.detection import cost, finish, model, report
from training.tasks.detection.batches import Batches, probe
from training.tasks.detection.data import read_data
from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.detection.validation import Validation
from training.tasks.task import Data
from zoo.errors import ZooError


class Detection:
    """The task "detection"; see `training.tasks.task.Task`."""

    name = "detection"
    splits = ("train", "validation")
    options = ("data", "limit", "to")

    def check(self, recipe: DetectionRecipe) -> None:
        if recipe.round < 1 or recipe.steps % recipe.round:
            raise ZooError(
                f"steps must be a multiple of round. Received: steps={recipe.steps}, "
                f"round={recipe.round}"
            )

    def read(self, recipe: DetectionRecipe, data_dir: str, *, download: bool = False) -> Data:
        return read_data(recipe, data_dir)

    def batches(self, recipe: DetectionRecipe, data: Data, share: Share) -> Batches:
        return Batches(data.train, recipe, share)

    def build(self, recipe: DetectionRecipe, data: Data, engine: Engine) -> keras.Model:
        return model.build(recipe, data.labels, engine)

    def callbacks(self, recipe: DetectionRecipe) -> list[keras.callbacks.Callback]:
        return []

    def probe(self, recipe: DetectionRecipe, data: Data) -> tuple[dict, None]:
        return probe(recipe, data.train)

    def validation(
        self, recipe: DetectionRecipe, data: Data, run: Path, engine: Engine, timeout: float
    ) -> Callable[[keras.Model, int], dict[str, float]]:
        validation = Validation(recipe, run, data.test, engine, timeout)
        validation.forget()  # before the processes meet
        return validation

    def finish(
        self,
        recipe: DetectionRecipe,
        data: Data,
        run: Path,
        model: keras.Model,
        history: list[dict],
    ) -> dict[str, Any]:
        return finish.finish(recipe, data, run, model, history)

    def report(self, arguments: argparse.Namespace) -> list[str]:
        report.report(arguments)
        return []

    def examples(self, recipe: DetectionRecipe) -> int:
        return recipe.steps * recipe.batch_size

    def multiply_adds(self, recipe: DetectionRecipe) -> int:
        return cost.multiply_adds(recipe)


DETECTION = Detection()
