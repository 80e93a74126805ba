"""What a task is to the training program: the parts that differ from task to task."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import keras

from training.data.pipeline import Share
from training.engines.engine import Engine
from training.tasks.recipe import Recipe
from zoo.preprocessing import Preprocess

R = TypeVar("R", bound=Recipe, contravariant=True)


@dataclass(frozen=True)
class Data:
    """What a training learns from and is measured on.

    Attributes:
        train, test: examples in the form of the task.
        labels: names of the classes, in order.
        counts: number of examples of "train" and "test".
        preprocess: how images become model input; the recipe's, or made from the training set.
        digests: what the examples of "train" and "test" are, see `training.data.digest`.
    """

    train: Any
    test: Any
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    preprocess: Preprocess
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same when a training goes on."""
        return {"labels": list(self.labels), **self.counts, "digests": dict(self.digests)}


class Batches(Protocol):
    """The batches of a training, as functions of seed and step."""

    @property
    def size(self) -> int:
        """Examples of a training step, over all processes."""

    @property
    def steps(self) -> int:
        """Training steps of a round."""

    def round(self, number: int, first: int) -> Any:
        """What `fit` takes for the steps from `first` on of a round."""

    def step(self, number: int, step: int) -> tuple:
        """(inputs, targets) of one step of a round."""

    def images_per_second(self) -> float:
        """What this process can read alone."""


class Task(Protocol[R]):
    """The parts of a training that differ from task to task, in the order of their use.

    Attributes:
        name: as in `Recipe.task` and `zoo.models.variant.Variant.task`.
        splits: of its data; the last one is that of measurements.
        options: of `training.evaluate` that are for this task alone.
    """

    name: str
    splits: tuple[str, ...]
    options: tuple[str, ...]

    def check(self, recipe: R) -> None:
        """Refuses settings that do not fit each other, before anything is read.

        Raises:
            ZooError: with the reason.
        """

    def read(self, recipe: R, data_dir: str, *, download: bool = False) -> Data:
        """The data of a recipe.

        Raises:
            ZooError: there are none, or none of use.
        """

    def batches(self, recipe: R, data: Data, share: Share) -> Batches:
        """The batches of this process.

        Raises:
            ZooError: the data do not give one.
        """

    def build(self, recipe: R, data: Data, engine: Engine) -> keras.Model:
        """The model with its losses, metrics and optimizer, compiled in the engine's scope.

        Raises:
            ZooError: the recipe's weights do not fit.
        """

    def callbacks(self, recipe: R) -> list[keras.callbacks.Callback]:
        """Callbacks of the task alone."""

    def probe(self, recipe: R, data: Data) -> tuple:
        """The (inputs, targets) that signals are read on: the same few examples throughout."""

    def validation(
        self, recipe: R, data: Data, run: Path, engine: Engine, timeout: float
    ) -> Callable[[keras.Model, int], dict[str, float]]:
        """(model, finished rounds) -> figures of other examples, or {} where none are due."""

    def finish(
        self, recipe: R, data: Data, run: Path, model: keras.Model, history: list[dict]
    ) -> dict[str, Any]:
        """Writes `run/checkpoint` and `run/metrics.json`; gives the metrics."""

    def report(self, arguments: argparse.Namespace) -> list[str]:
        """Measures a checkpoint for `training.evaluate` and prints the figures; gives the names
        of those in which its card differs."""

    def examples(self, recipe: R) -> int:
        """How many examples a training learns from, each as often as it is looked at."""

    def multiply_adds(self, recipe: R) -> int:
        """Multiply-adds of a forward pass in training of one example."""
