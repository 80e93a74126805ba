"""What the commands have in common: answers for people and for programs."""

import argparse
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds the flag `--json`."""
    parser.add_argument("--json", action="store_true", help="for programs")


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Adds the flag `--verbose`, for commands that run a model."""
    parser.add_argument("--verbose", action="store_true", help="what the backend says, too")


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Makes a refusal of what the system says while `path` is written."""
    try:
        yield
    except OSError as error:
        raise ZooError(f"{path} cannot be written: {error.strerror or error}") from error


def print_json(value: Any) -> None:
    """Prints a value for programs."""
    print(json.dumps(value, indent=2))


def print_table(rows: Iterable[tuple[str, str]]) -> None:
    """Prints names and values in two columns; rows without a value are left out."""
    for name, value in rows:
        if value:
            print(f"{name:13} {value}")
