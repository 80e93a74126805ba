"""The folder of a run: what runs there, written once, and what may go on there."""

import dataclasses
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training import machine
from training import recipe as recipes
from training.engines.engine import Engine
from training.tasks.recipe import Recipe
from zoo.errors import ZooError
from zoo.files import write_atomically

FILE = "run.json"


def describe(recipe: Recipe, name: str, engine: Engine) -> dict[str, Any]:
    """What `run.json` says of a training but for its data: recipe, code, machine, command."""
    return {
        "name": name,
        "task": recipe.task,
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
        "settings": recipes.settings(name, recipe),
        "commit": _commit(),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version(), "keras": keras.__version__}
        | {"numpy": np.__version__},
        "device": machine.device(),
        "devices": engine.devices,
        "processes": engine.processes,
        "strategy": engine.name,
        "command": shlex.join([f"KERAS_BACKEND={keras.backend.backend()}", *sys.orig_argv]),
    }


def check(run: Path, about: dict[str, Any], kind: type[Recipe]) -> None:
    """Refuses a folder in which another training has begun. Nothing is written.

    Args:
        run: the folder, which need not exist.
        about: of the training that is to go on, from `describe`.
        kind: class of its recipe.

    Raises:
        ZooError: with the names of the settings that differ.
    """
    there = _read(run)
    if there is None:
        return
    # A field that is younger than the run had its default's meaning then.
    began = {**_defaults(kind), **there["recipe"]}
    changed = [key for key, value in about["recipe"].items() if began.get(key) != value]
    changed += [key for key in ("backend", "task") if there.get(key, about[key]) != about[key]]
    if changed:
        raise ZooError(
            f"{run} holds a training with other settings ({', '.join(changed)}). "
            "Give the settings it began with, or another --run."
        )


def begin(run: Path, about: dict[str, Any], data: dict[str, Any]) -> None:
    """Writes `run.json` when everything is known to fit, or refuses other data than at first.

    Args:
        run: the folder, made if missing.
        about: from `describe`, checked by `check`.
        data: `Data.identity`: the labels in order, numbers of examples, and digests of them.

    Raises:
        ZooError: the data are not those that the training in the folder began with.
    """
    there = _read(run)
    if there is None:
        run.mkdir(parents=True, exist_ok=True)
        write_atomically(run / FILE, json.dumps({**about, "data": data}, indent=2).encode())
        return
    before = {**data, **there.get("data", {})}  # a run may be older than one of the fields
    changes = [_change(key, before[key], data[key]) for key in data if before[key] != data[key]]
    if changes:
        raise ZooError(
            f"{run} holds a training on other data: {'; '.join(changes)}. Restore the data it "
            "began with, or choose another --run."
        )


def _change(key: str, before: Any, now: Any) -> str:
    if key == "digests":
        parts = [part for part in now if before.get(part) != now[part]]
        return f"the {' and '.join(parts)} examples are others than then"
    if key != "labels":
        return f"{before} {key} examples then, {now} now"
    if sorted(before) == sorted(now):
        return "the classes are in another order"
    names = ", ".join(sorted(set(before) ^ set(now))[:5])
    return f"{len(before)} classes then, {len(now)} now, which differ in {names}"


def _read(run: Path) -> dict[str, Any] | None:
    path = run / FILE
    return json.loads(path.read_text()) if path.exists() else None


def _defaults(kind: type[Recipe]) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    plain = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    made = {f.name: f.default_factory() for f in fields if callable(f.default_factory)}
    return json.loads(json.dumps(plain | made))


def _commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"
