"""What a diverged training leaves: which weights grew, and what flowed through the layers."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from training import state
from zoo.files import write_atomically
from zoo.signals import Probe, Tap, gradient_norm, mean_square

SIGNALS = {
    "output": Tap("output", mean_square),
    "error": Tap("output_gradient", mean_square),
    "gradient": Tap("weight_gradient", gradient_norm),
}


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
    found = {"what": message, "good": good, "variables": rows}
    if batch is not None:
        found["signals"] = {
            signal: {layer: float(v) if math.isfinite(v) else None for layer, v in values.items()}
            for signal, values in Probe(trainer, SIGNALS)(*batch).items()
        }
    write_atomically(run / "diverged.json", json.dumps(found, indent=1).encode())
    return found


def _growth(row: dict) -> float:
    if row["not_finite"]:
        return float("inf")
    return row["norm"] / (row["good_norm"] or 1.0)
