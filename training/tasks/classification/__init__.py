"""Classification: one label for a picture."""

import argparse
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from training.data import DATASETS
from training.data.pipeline import Share
from training.engines.engine import Engine
from training.tasks.classification import finish, model, report, validation
from training.tasks.classification.batches import EpochBatches
from training.tasks.classification.data import read
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.classification.signals import probe
from training.tasks.task import Data
from zoo.models.cost import multiply_adds
from zoo.models.deferred import build_without_values

# Classes of each data set; of some, the files alone name them.
CLASSES = {
    "usps": 10,
    "coil20": 20,
    "mnist": 10,
    "cifar10": 10,
    "cifar100": 100,
    "tiny_imagenet": 200,
    "imagenet2012": 1000,
}


class Classification:
    """The task "classification"; see `training.tasks.task.Task`."""

    name = "classification"
    splits = ("train", "test")
    options = ("ten_crop", "pictures", "download", "json")

    def check(self, recipe: ClassificationRecipe) -> None:
        """Its settings are checked where they are used."""

    def read(self, recipe: ClassificationRecipe, data_dir: str, *, download: bool = False) -> Data:
        return read(recipe, data_dir, download=download)

    def batches(self, recipe: ClassificationRecipe, data: Data, share: Share) -> EpochBatches:
        return EpochBatches(recipe, data.train, share)

    def build(self, recipe: ClassificationRecipe, data: Data, engine: Engine) -> keras.Model:
        pixels = "uint8" if recipe.resized_crop else str(getattr(data.train.x, "dtype", "uint8"))
        updates = len(data.train.y) // recipe.batch_size
        return model.build(recipe, data.labels, pixels, updates, engine)

    def callbacks(self, recipe: ClassificationRecipe) -> list[keras.callbacks.Callback]:
        if not recipe.modulation_steps:
            return []
        return [zoo.callbacks.ModulationCallback(recipe.modulation_steps, recipe.modulation_band)]

    def probe(self, recipe: ClassificationRecipe, data: Data) -> tuple[dict, np.ndarray]:
        return probe(recipe, data.train)

    def validation(
        self,
        recipe: ClassificationRecipe,
        data: Data,
        run: Path,
        engine: Engine,
        timeout: float,
    ) -> Callable[[keras.Model, int], dict[str, float]]:
        return functools.partial(validation.validate, recipe, data.test, engine)

    def finish(
        self,
        recipe: ClassificationRecipe,
        data: Data,
        run: Path,
        model: keras.Model,
        history: list[dict],
    ) -> dict[str, Any]:
        return finish.finish(recipe, run, model, data.train, data.test, history)

    def report(self, arguments: argparse.Namespace) -> list[str]:
        return report.report(arguments)

    def examples(self, recipe: ClassificationRecipe) -> int:
        return DATASETS[recipe.data].sizes["train"] * recipe.epochs

    def multiply_adds(self, recipe: ClassificationRecipe) -> int:
        shape = (*recipe.preprocess.size, recipe.preprocess.channels)
        arguments = tuple(sorted(recipe.model_args.items()))
        count = _multiply_adds(recipe.model, shape, CLASSES[recipe.data], arguments)
        if recipe.sides:  # smaller pictures cost less
            full = math.prod(recipe.preprocess.size) * len(recipe.sides)
            count = count * sum(side**2 for side in recipe.sides) // full
        return count


@functools.cache
def _multiply_adds(name: str, input_shape: tuple, num_classes: int, model_args: tuple) -> int:
    arguments = {"input_shape": input_shape, "num_classes": num_classes, **dict(model_args)}
    result = multiply_adds(build_without_values(lambda: zoo.create(name, **arguments)))
    keras.backend.clear_session()
    return result


CLASSIFICATION = Classification()
