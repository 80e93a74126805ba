"""The state of a training on disk: written whole or not at all, read only when whole."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from zoo.errors import ZooError
from zoo.files import write_atomically

KEEP = 2  # the newest state and the one before it


@dataclass(frozen=True)
class Position:
    """Where a training is.

    Attributes:
        epoch: finished epochs.
        step: steps done of the next one.
        seconds: that these took.
        history: one dict per finished epoch.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)


def save_state(
    folder: Path,
    trainer: keras.Model,
    position: Position,
    more: Sequence[keras.Variable] = (),
    *,
    metrics: bool = True,
) -> None:
    """Saves every variable of a compiled model (weights, optimizer), `more`, and within an epoch
    its `metrics`; older states beyond `KEEP` are then removed."""
    keyed = _keyed(trainer, more, metrics=metrics and position.step > 0)
    arrays = {key: np.array(v.numpy(), order="C") for key, v in keyed.items()}
    metadata = {"position": json.dumps(asdict(position))}
    name = f"state-{position.epoch:05d}-{position.step:07d}.safetensors"
    write_atomically(folder / name, save(arrays, metadata))
    # What a process left that was killed while it wrote is in no state's way, but as large as one.
    for old in (*states(folder)[KEEP:], *folder.glob(".state-*.partial")):
        old.unlink()


def states(folder: Path) -> list[Path]:
    """State files, newest first."""
    return sorted(folder.glob("state-*.safetensors"), reverse=True)


def restore_state(
    folder: Path, trainer: keras.Model, more: Sequence[keras.Variable] = ()
) -> tuple[Position, dict[str, np.ndarray]]:
    """Puts the newest readable state into `trainer` and `more`.

    Returns:
        The position, and the metrics of an unfinished epoch, for `add_metrics`.

    Raises:
        ZooError: when a readable state belongs to another model or optimizer.
    """
    for path in states(folder):
        try:
            with safe_open(path, framework="numpy") as file:
                position = Position(**json.loads(file.metadata()["position"]))
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            print(f"{path} cannot be read ({error}); trying the one before it.", flush=True)
            continue
        metrics = {key: arrays.pop(key) for key in list(arrays) if key.startswith("metrics/")}
        variables = _keyed(trainer, more)
        stored = {(key, array.shape) for key, array in arrays.items()}
        wanted = {(key, tuple(v.shape)) for key, v in variables.items()}
        if stored != wanted:
            odd = sorted({key for key, _ in stored ^ wanted})[:3]
            raise ZooError(
                f"{path} belongs to another training: it differs in {odd}. Choose another --run."
            )
        for key, variable in variables.items():
            variable.assign(arrays[key])
        return position, metrics
    return Position(), {}


class RunState:
    """The state of one training: its folder, its model and what else is saved with it.

    Args:
        folder: of the run.
        model: compiled.
        more: variables that are state, too.
        metrics: whether a state within an epoch has its metrics. Without them, the log's training
            figures of a resumed epoch are those of its rest.
    """

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        more: Sequence[keras.Variable] = (),
        *,
        metrics: bool = True,
    ):
        self.folder, self.model, self.more, self.metrics = folder, model, list(more), metrics
        self._pending: dict[str, np.ndarray] = {}

    def restore(self) -> Position:
        """Puts the newest readable state into the model, and tells where that is."""
        position, self._pending = restore_state(self.folder, self.model, self.more)
        return position

    def complete_metrics(self) -> None:
        """Behind a step: adds what the metrics had gathered before a resume, once."""
        if self._pending:
            add_metrics(self.model, self._pending)
            self._pending = {}

    def save(self, position: Position) -> None:
        """Saves it. Raises an OSError where that cannot be done; older states are as they were."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        save_state(self.folder, self.model, position, self.more, metrics=self.metrics)


def add_metrics(trainer: keras.Model, metrics: dict[str, np.ndarray]) -> None:
    """Adds what the metrics of an unfinished epoch, all of them sums, had gathered.

    For the end of the first step after a resume: Keras makes them no earlier than that.
    """
    if keras.backend.backend() == "jax":
        trainer.jax_state_sync()
    for key, variable in _metrics(trainer).items():
        variable.assign(variable.numpy() + metrics[key])


def _keyed(trainer, more=(), metrics: bool = False) -> dict[str, keras.Variable]:
    # Paths are unique within the model and within the optimizer, not across random generators.
    gathered = {id(v) for v in trainer.metrics_variables}
    variables = [*trainer.variables, *trainer.optimizer.variables, *more]
    variables = list({id(v): v for v in variables if id(v) not in gathered}.values())
    keyed = {f"{i:05d}/{v.path}": v for i, v in enumerate(variables)}
    return keyed | (_metrics(trainer) if metrics else {})


def _metrics(trainer) -> dict[str, keras.Variable]:
    return {f"metrics/{i:02d}/{v.path}": v for i, v in enumerate(trainer.metrics_variables)}
