"""Signals of a training by `signals_every`: after a kill, on two devices, in two processes."""

import csv
import dataclasses
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support import toy
from tests.support.helpers import array
from tests.support.programs import finish, pair, start
from training import train
from training.tasks.classification.model import prepare_layer
from training.tasks.classification.signals import probe
from zoo.errors import ZooError

BACKEND = keras.backend.backend()
SETTINGS = ("epochs=2", "signals_every=2")  # 2 epochs of 5 steps
several = pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there")


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """The folder of a run that was killed after its last step, with the state of one epoch."""
    run = tmp_path_factory.mktemp("killed")
    process = start(run, *SETTINGS, call="die_while_writing_state 2")
    output = process.read()
    assert process.returncode == -signal.SIGKILL, output
    assert list(rows_of(run)) == [0, 2, 4, 6, 8, 10]
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    finish(start(run, *SETTINGS))
    return run


def rows_of(run: Path) -> dict[int, dict[str, float]]:
    rows: dict[int, dict[str, float]] = {}
    with open(run / "signals.csv", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["step"]), {})[row["key"]] = float(row["value"])
    return rows


def log_of(run: Path) -> list[dict[str, str]]:
    with open(run / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k.startswith("gradient/")} for row in rows]


def assert_equal(run: Path, other: Path) -> None:
    ours, theirs = rows_of(run), rows_of(other)
    assert list(ours) == list(theirs)
    for step, values in theirs.items():
        assert ours[step] == pytest.approx(values, rel=1e-5), step


def test_steps_and_layers(whole):
    found = rows_of(whole)
    assert list(found) == [0, 2, 4, 6, 8, 10]
    kernels = [f"hidden{i}_dense" for i in (1, 2, 3)]
    for values in found.values():
        assert all(v > 0 for v in values.values())
        for name in ("gradient/norm", "error/moment"):
            assert [f"{name}/{kernel}" in values for kernel in kernels] == [True] * 3
    # The log has the extremes of the last probe of each epoch.
    for row, step in zip(log_of(whole), (4, 10), strict=True):
        norms = [v for key, v in found[step].items() if key.startswith("gradient/norm/")]
        assert float(row["gradient/norm/min"]) == pytest.approx(min(norms))
        assert float(row["gradient/norm/max"]) == pytest.approx(max(norms))


def test_killed_and_started_again(whole, killed, tmp_path):
    run = shutil.copytree(killed, tmp_path / "run")
    finish(start(run, *SETTINGS))
    assert (run / "signals.csv").read_text() == (whole / "signals.csv").read_text()
    assert log_of(run) == log_of(whole)


@pytest.mark.release
@several
def test_two_processes(whole, tmp_path):
    for process in pair("tests.support.toy", "toy", *SETTINGS, "--run", str(tmp_path)):
        finish(process)
    assert_equal(tmp_path, whole)


@pytest.mark.parametrize(
    "options", [{}, {"flip": False, "crop": 0, "jitter": 0.0, "lighting": 0.0}]
)
def test_the_batch_is_not_augmented(options):
    """The first images; what the layers do with them in training is what they do at evaluation."""
    recipe = dataclasses.replace(toy.PROOF, **options)
    images = toy.noise("train")
    inputs, targets = probe(recipe, images)
    np.testing.assert_array_equal(inputs["image"], images.x[:32])
    np.testing.assert_array_equal(targets, images.y[:32])
    assert ("draws" in inputs) == bool(prepare_layer(recipe).draws)
    prepare = prepare_layer(recipe)
    prepared = prepare(inputs["image"], inputs.get("draws"), training=True)
    np.testing.assert_allclose(array(prepared), array(prepare(images.x[:32])), atol=1e-5)


def test_targets_are_those_of_the_loss():
    smoothed = dataclasses.replace(toy.PROOF, label_smoothing=0.1)
    _, targets = probe(smoothed, toy.noise("train"))
    assert targets.shape == (32, 4)


def test_a_period_below_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))
    with pytest.raises(ZooError, match="signals_every must be an integer of at least 0"):
        train.train(dataclasses.replace(toy.RECIPE, signals_every=-1), tmp_path / "run", "")
    assert not (tmp_path / "run").exists()
