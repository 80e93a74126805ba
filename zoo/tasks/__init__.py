"""What models are for: classification and detection.

A new task is a file here and a row of `TASKS`; what its training takes is in `training/tasks`.
"""

from typing import Any, Protocol

import keras

from zoo.tasks.classification import CLASSIFICATION
from zoo.tasks.detection import DETECTION

__all__ = ["TASKS", "task_of"]


class Task(Protocol):
    """What a user of a model can ask of its task.

    Attributes:
        name: str, as in `zoo.models.variant.Variant.task`.
        metric: str, name of the figure on a card that is looked at first.
        metric_in_words: str, the same in words.

    Example:

    >>> zoo.tasks.TASKS["detection"].metric
    'box_AP'
    """

    name: str
    metric: str
    metric_in_words: str

    def predict(self, model: keras.Model, images: Any, **options: Any) -> Any:
        """What a model says about pictures; the options are the task's own."""

    def labels(self, model: keras.Model) -> tuple[str, ...]:
        """The names of the classes in the order of the outputs."""

    def multiply_adds(self, model: keras.Model) -> int:
        """What one picture costs."""


TASKS: dict[str, Task] = {task.name: task for task in (CLASSIFICATION, DETECTION)}


def task_of(model: keras.Model) -> Task:
    """The task of a model: what it says itself, or else classification.

    Args:
        model: keras.Model, of the zoo or not.

    Returns:
        Task.

    Example:

    >>> zoo.tasks.task_of(zoo.create("seqnet18", num_classes=3)).name
    'classification'
    """
    return TASKS[getattr(model, "task", CLASSIFICATION.name)]
