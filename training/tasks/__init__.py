"""What trainings are for. A new task is a package here and a row of `TASKS`."""

from typing import Any

from training.tasks.classification import CLASSIFICATION
from training.tasks.detection import DETECTION
from training.tasks.task import Task

TASKS: dict[str, Task[Any]] = {
    CLASSIFICATION.name: CLASSIFICATION,
    DETECTION.name: DETECTION,
}


def find(name: str) -> Task[Any]:
    """The task that `Recipe.task` names."""
    return TASKS[name]
