"""When a training has diverged, and what that leaves: which weights grew, what flowed."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from training import state
from zoo.files import write_atomically
from zoo.signals import Probe, Tap, gradient_norm, mean_square

LIMIT = 1e4  # nats; guessing among 1000 classes costs 7

SIGNALS = {
    "output": Tap("output", mean_square),
    "error": Tap("output_gradient", mean_square),
    "gradient": Tap("weight_gradient", gradient_norm),
}


class Diverged(Exception):
    """The loss is not finite any more, or enormous."""


class DivergenceCheck:
    """Looks at the losses of a training.

    Args:
        saved: the state of the training.
        chief: whether this process writes the report.
        sample: (round, step) -> (inputs, targets) of that step, for the report; None where the
            model cannot be probed by one process.
    """

    def __init__(
        self,
        saved: state.RunState,
        *,
        chief: bool = True,
        sample: Callable[[int, int], tuple] | None = None,
    ):
        self.saved, self.chief, self.sample = saved, chief, sample

    def check(self, logs: dict, epoch: int, step: int) -> None:
        """Raises `Diverged`, with a report, for a loss that no training comes back from."""
        loss, nats = float(logs.get("loss", 0)), float(logs.get("cross_entropy", 0))
        if math.isfinite(loss) and nats < LIMIT:
            return
        message = f"the loss is {loss:.4g} after step {step} of epoch {epoch + 1}"
        if self.chief:
            batch = self.sample(epoch, step - 1) if self.sample else None
            report(self.saved.folder, self.saved.model, message, self.saved.more, batch)
        raise Diverged(message)


def report(
    run: Path, trainer: keras.Model, message: str, more: Sequence = (), batch: tuple | None = None
) -> dict:
    """Writes `run/diverged.json`: every variable now and in the last good state.

    The model is then back in that state.

    Args:
        run: its folder.
        trainer: compiled model.
        message: what happened.
        more: variables that are state, too.
        batch: (inputs, targets) of the step that failed, or None: probed in the last good state,
            or as the model is where there is none.

    Returns:
        {"what": message, "good": position of that state or None, "variables": [{"path", "norm" of
        the finite elements, "not_finite" elements, "good_norm"}, …], the largest growth first,
        "signals": {"output": {layer: mean square}, "error": the same of the gradient with respect
        to it, "gradient": {layer: norm of the gradient of its kernel}}, None where not finite}.
    """
    if keras.backend.backend() == "jax":
        trainer.jax_state_sync()
    variables = list(trainer.variables)
    now = [np.asarray(v.numpy(), "float64") for v in variables]
    before = {id(v): None for v in variables}
    good = None
    if state.states(run):
        position, _ = state.restore_state(run, trainer, more)
        good = {"epoch": position.epoch, "step": position.step}
        before = {id(v): float(np.linalg.norm(v.numpy())) for v in variables}
    rows = [
        {
            "path": variable.path,
            "norm": float(np.linalg.norm(value[np.isfinite(value)])),
            "not_finite": int((~np.isfinite(value)).sum()),
            "good_norm": before[id(variable)],
        }
        for variable, value in zip(variables, now, strict=True)
    ]
    rows.sort(key=lambda row: -_growth(row))
    content = {"what": message, "good": good, "variables": rows}
    if batch is not None:
        content["signals"] = {
            signal: {layer: float(v) if math.isfinite(v) else None for layer, v in values.items()}
            for signal, values in Probe(trainer, SIGNALS)(*batch).items()
        }
    write_atomically(run / "diverged.json", json.dumps(content, indent=1).encode())
    return content


def _growth(row: dict) -> float:
    if row["not_finite"]:
        return float("inf")
    return row["norm"] / (row["good_norm"] or 1.0)
