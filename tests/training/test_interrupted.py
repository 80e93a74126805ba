"""Trainings that are stopped or killed, or find the disk full, go on bit for bit."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support import fresh
from tests.support.programs import finish, signal_at, start
from training.state import states

once = pytest.mark.once


def final_state(run: Path) -> dict:
    newest = states(run)[0]
    assert newest.name.endswith("-0000000.safetensors")
    return load_file(newest)


def assert_same_training(run: Path, other: Path) -> None:
    """Every weight, momentum, average and step count, the log and the checkpoint, bit for bit."""
    ours, theirs = final_state(run), final_state(other)
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    a, b = (load_file(r / "checkpoint" / "model.safetensors") for r in (run, other))
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)
    a, b = (json.loads((r / "log.json").read_text()) for r in (run, other))
    clock = ("seconds", "images_per_second")
    assert [{k: v for k, v in row.items() if k not in clock} for row in a] == [
        {k: v for k, v in row.items() if k not in clock} for row in b
    ]


@once
def test_stopped_by_sigterm_and_started_again(uninterrupted, tmp_path):
    process = start(tmp_path)
    output = signal_at("Epoch 3/", process, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "the same command goes on" in output
    finish(start(tmp_path))
    assert_same_training(tmp_path, uninterrupted)


@pytest.mark.release
def test_killed_in_an_epoch_and_started_again(uninterrupted, tmp_path):
    process = start(tmp_path, "--checkpoint-minutes", "0")
    signal_at("Epoch 3/", process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    finish(start(tmp_path))
    assert_same_training(tmp_path, uninterrupted)
    # Each epoch is logged once.
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.release
@once
def test_killed_twenty_times_at_random_moments(tmp_path):
    from tests.support.kills import EPOCHS

    output = finish(fresh.start("-m", "tests.support.kills", str(tmp_path / "killed"), "20"))
    assert output.endswith("killed 20 times, then ended with 0\n"), output[-3000:]
    finish(start(tmp_path / "whole", f"epochs={EPOCHS}"))
    assert_same_training(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.release
@once
def test_killed_while_writing_a_state_and_started_again(uninterrupted, tmp_path):
    process = start(tmp_path, call="die_while_writing_state 3")
    process.read()
    assert process.returncode == -signal.SIGKILL
    newest = states(tmp_path)[0]
    assert newest.name == "state-00002-0000000.safetensors"
    # And what was written last is damaged, too: the state before it is there.
    newest.write_bytes(newest.read_bytes()[:5000])
    output = finish(start(tmp_path))
    assert "Going on after epoch 1 of 4" in output
    assert not list(tmp_path.glob(".*.partial"))
    assert_same_training(tmp_path, uninterrupted)


@once
def test_a_full_disk_loses_nothing_older(uninterrupted, tmp_path):
    output = finish(start(tmp_path, call="fill_the_disk_at 2"))
    assert output.count("Could not write the state") == 1
    assert [path.name[:11] for path in states(tmp_path)] == ["state-00004", "state-00003"]
    assert not list(tmp_path.glob(".*partial"))
    assert_same_training(tmp_path, uninterrupted)


@pytest.mark.release
@once
def test_a_disk_that_stays_full(tmp_path):
    output = finish(start(tmp_path, call="fill_the_disk_from 3"), code=1)
    assert "the last state could not be written" in output
    assert [path.name[:11] for path in states(tmp_path)] == ["state-00002", "state-00001"]
    assert not (tmp_path / "checkpoint").exists()
    assert "Going on after epoch 2 of 4" in finish(start(tmp_path))


@once
def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert "Not a directory" in finish(start(tmp_path / "file" / "run"), code=1)


def test_divergence_stops_with_a_report(tmp_path):
    output = finish(start(tmp_path, "learning_rate=1e30", "model_args.norm='none'"), code=3)
    assert "diverged.json" in output
    told = json.loads((tmp_path / "diverged.json").read_text())
    assert "the loss is" in told["what"]
    places = [f"hidden{i}_dense" for i in (1, 2, 3)]
    for values in told["signals"].values():
        assert list(values)[:3] == places
    assert list(told["signals"]) == ["output", "error", "gradient"]
    assert not (tmp_path / "checkpoint").exists()
