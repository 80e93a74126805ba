"""Finished runs: what `training.train` left in a run folder, for the programs that read it."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

RESULTS = Path(__file__).parents[2] / "results"


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
        measured = self.metrics.get(split)
        return None if measured is None else 100 * (1 - measured["top1"])


def read_run(folder: Path) -> Run | None:
    """The run in a folder, or None where there is none or it is not finished.

    Raises:
        ZooError: one of its files cannot be read; it was not measured on the test set.
    """
    if not (folder / "metrics.json").is_file():
        return None
    names = ("run.json", "log.json", "metrics.json")
    run = Run(folder, *[read_json(folder / name) for name in names])
    if run.about["recipe"].get("holdout"):
        raise ZooError(
            f"{folder} held images out to choose settings, and no table has such figures. Move it "
            "to another folder."
        )
    return run


def read_json(path: Path):
    """What a file of a run folder says.

    Raises:
        ZooError: it cannot be read.
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


def program(
    name: str,
    doc: str,
    write: Callable[..., list[str] | None],
    argv: list[str] | None,
    **places: str,
) -> int:
    """The command line of `training.results.NAME`: calls `write(*places, to)`.

    Args:
        name: of the module.
        doc: its docstring.
        write: writes the results and may name what is missing.
        argv: arguments; None for those of the process.
        places: positional argument -> help.

    Returns:
        Exit status: 0, 1 where something is missing, 2 after an error.
    """
    prog = f"training.results.{name}"
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=doc)
    for place, what in places.items():
        parser.add_argument(place, type=Path, help=what)
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder of the results")
    arguments = vars(parser.parse_args(argv))
    try:
        missing = write(*(arguments[place] for place in places), arguments["to"])
    except ZooError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    if missing:
        print(f"Missing: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0
