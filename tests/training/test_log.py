"""The log of a run: CSV, JSON, picture, TensorBoard's events."""

import csv
import json
import sys

import pytest

from training.log import write_log
from zoo.errors import ZooError

pytestmark = pytest.mark.once

HISTORY = [
    {"epoch": 1, "loss": 0.5, "accuracy": 0.8},
    {"epoch": 2, "loss": 0.25, "accuracy": 0.9, "test_accuracy": 0.7},
]


def test_files(tmp_path):
    write_log(tmp_path, HISTORY)
    assert json.loads((tmp_path / "log.json").read_text()) == HISTORY
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["test_accuracy"] for row in rows] == ["", "0.7"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_tensorboard_events(tmp_path):
    for epochs in (1, 2):
        write_log(tmp_path, HISTORY[:epochs], tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    found = [(e.step, e.tensor_proto.float_val[0]) for e in events.Tensors("loss")]
    assert found == [(1, 0.5), (2, 0.25)]
    assert [e.step for e in events.Tensors("test_accuracy")] == [2]


def test_without_tensorboard(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(ZooError, match="needs the package tensorboard"):
        write_log(tmp_path, HISTORY, tensorboard=True)
