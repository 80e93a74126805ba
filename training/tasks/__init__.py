"""What trainings are for. A new task is a package here and a row of `TASKS`."""

from training.tasks.classification import CLASSIFICATION
from training.tasks.detection import DETECTION
from training.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (CLASSIFICATION, DETECTION)}


def find(name: str) -> Task:
    """The task that `Recipe.task` names."""
    return TASKS[name]
