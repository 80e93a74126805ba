"""Finished runs: what `training.train` left in a run folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: of the run; `folder / "checkpoint"` holds the weights.
        about: run.json: recipe, settings, commit, backend, device.
        history: log.json, one dict per epoch.
        metrics: metrics.json, split -> name -> value.
    """

    folder: Path
    about: dict[str, Any]
    history: list[dict[str, Any]]
    metrics: dict[str, dict[str, float]]

    @property
    def minutes(self) -> float:
        return sum(row["seconds"] for row in self.history) / 60

    @property
    def command(self) -> str:
        return command(self.about)

    def error(self, split: str) -> float | None:
        """Error in percent on "test", "train" or "test, moving averages"; None if not measured."""
        found = self.metrics.get(split)
        return None if found is None else 100 * (1 - found["top1"])


def read_run(folder: Path) -> Run | None:
    """The run in a folder, or None where there is none or it is not finished.

    Raises:
        ValueError: one of its files cannot be read.
    """
    if not (folder / "metrics.json").is_file():
        return None
    names = ("run.json", "log.json", "metrics.json")
    return Run(folder, *[read_json(folder / name) for name in names])


def read_json(path: Path):
    """What a file of a run folder says.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ZooError(f"{path} cannot be read: {error}") from error


def command(about: dict[str, Any]) -> str:
    """What gives the run of a run.json again."""
    return " ".join(["python -m training.train", about["name"], *about["settings"]])


def diverged(folder: Path) -> str | None:
    """Why the training in a folder was given up, or None where it was not."""
    path = folder / "diverged.json"
    return json.loads(path.read_text())["what"] if path.is_file() else None
