"""The state of a training on disk: written whole or not at all, read only when whole."""

import json
import os
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from zoo.errors import ZooError

KEEP = 2  # the newest state and the one before it


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a crash at any moment, finds the old or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def save_state(folder: Path, trainer: keras.Model, epoch: int, history: list[dict]) -> None:
    """Saves every variable of a compiled model (weights, optimizer, random states) after `epoch`
    finished epochs; older states beyond `KEEP` are then removed."""
    arrays = {key: np.array(v.numpy(), order="C") for key, v in _keyed(trainer)}
    metadata = {"epoch": str(epoch), "history": json.dumps(history)}
    write_atomically(folder / f"state-{epoch:05d}.safetensors", save(arrays, metadata))
    for old in states(folder)[KEEP:]:
        old.unlink()


def states(folder: Path) -> list[Path]:
    """State files, newest first."""
    return sorted(folder.glob("state-*.safetensors"), reverse=True)


def restore_state(folder: Path, trainer: keras.Model) -> tuple[int, list[dict]]:
    """Puts the newest readable state into `trainer`.

    Returns:
        The number of finished epochs and the history; (0, []) when there is no state.

    Raises:
        ValueError: when a readable state belongs to another model or optimizer.
    """
    for path in states(folder):
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError) as error:
            print(f"{path} cannot be read ({error}); trying the one before it.")
            continue
        variables = dict(_keyed(trainer))
        found = {(key, array.shape) for key, array in arrays.items()}
        wanted = {(key, tuple(v.shape)) for key, v in variables.items()}
        if found != wanted:
            odd = sorted({key for key, _ in found ^ wanted})[:3]
            raise ZooError(
                f"{path} belongs to another training: it differs in {odd}. Choose another --run."
            )
        for key, variable in variables.items():
            variable.assign(arrays[key])
        return int(metadata["epoch"]), json.loads(metadata["history"])
    return 0, []


def _keyed(trainer):
    # Paths are unique within the model and within the optimizer, not across random generators.
    return [(f"{i:05d}/{v.path}", v) for i, v in enumerate(_variables(trainer))]


def _variables(trainer):
    metrics = {id(v) for v in trainer.metrics_variables}
    variables = [*trainer.variables, *trainer.optimizer.variables]
    return list({id(v): v for v in variables if id(v) not in metrics}.values())
