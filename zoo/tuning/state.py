"""The state of a training on disk, after each epoch: written whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from zoo.errors import ZooError
from zoo.files import write_atomically

FILE = "state.safetensors"
Weights = dict[str, np.ndarray]


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        history: list of dict, a row per finished epoch, the linear probe's first.
        best: dict of str to NumPy array, the weights of the best row by path.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best: Weights = field(default_factory=dict)

    @property
    def best_row(self) -> dict[str, Any]:
        """The row of the highest accuracy on the validation pictures; among equals, of the lowest
        loss, and of the first."""
        return min(self.history, key=lambda r: (-r["validation_accuracy"], r["validation_loss"]))

    def add(self, row: dict[str, Any], model: keras.Model) -> None:
        """Adds a finished epoch, and keeps the weights where it is the best so far.

        Args:
            row: dict, with "validation_accuracy" and "validation_loss".
            model: keras.Model, as it is after that epoch.
        """
        self.history.append(row)
        if self.best_row is row:
            self.best = weights_of(model)


def weights_of(model: keras.Model) -> Weights:
    """A copy of the weights by path."""
    return {v.path: _array(v) for v in model.weights}


def save_progress(folder: Path, model: keras.Model, progress: Progress) -> None:
    """Writes the state of a compiled model (weights, optimizer, random generators) and of the
    training.

    Args:
        folder: Path.
        model: keras.Model, compiled, its optimizer built.
        progress: Progress.
    """
    arrays = {key: _array(v) for key, v in _variables(model).items()}
    arrays |= {f"best/{path}": array for path, array in progress.best.items()}
    metadata = {"history": json.dumps(progress.history)}
    write_atomically(folder / FILE, save(arrays, metadata))


def restore_progress(folder: Path, model: keras.Model) -> Progress | None:
    """Puts the state into the model, where there is one.

    Args:
        folder: Path.
        model: keras.Model, compiled as the one whose state was saved.

    Returns:
        Progress; None where there is no state.

    Raises:
        ZooError: the state is damaged or belongs to another model.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            history = json.loads(file.metadata()["history"])
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{path} cannot be read ({error}): remove it to begin anew.") from error
    starts = "best/"
    best = {k.removeprefix(starts): arrays.pop(k) for k in list(arrays) if k.startswith(starts)}
    variables = _variables(model)
    if {k: tuple(v.shape) for k, v in variables.items()} != {k: a.shape for k, a in arrays.items()}:
        raise ZooError(f"{path} belongs to another training: remove it to begin anew.")
    for key, variable in variables.items():
        variable.assign(arrays[key])
    return Progress(history, best)


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """By number: names of optimizers and random generators depend on what was made before."""
    gathered = {id(v) for v in model.metrics_variables}
    variables = {id(v): v for v in (*model.variables, *model.optimizer.variables)}
    kept = [v for key, v in variables.items() if key not in gathered]
    return {f"{i:05d}": v for i, v in enumerate(kept)}


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value), order="C")
