"""The command itself, called as a function and once as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.cli import main
from zoo.hub import index


@pytest.mark.parametrize("argv", [[], ["predict"], ["predict", "model"], ["lst"], ["info"]])
def test_wrong_calls(capsys, argv):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: zoo")


def test_help(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("list", "info", "predict", "examples:"))


def test_ctrl_c(monkeypatch):
    def interrupt(pattern):
        raise KeyboardInterrupt

    monkeypatch.setattr(index, "list_weights", interrupt)
    assert main(["list"]) == 130


@pytest.mark.once
def test_as_a_process(photos, folder):
    command = [sys.executable, "-m", "zoo"]
    # TensorFlow may say what it likes.
    env = os.environ | {"PYTHONPATH": str(Path(zoo.__file__).parents[1])}
    env.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run(
        [*command, "predict", folder, "a.png", "notes.txt", "b.jpg", "--json"],
        capture_output=True,
        env=env,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("zoo: notes.txt is not an image")
    assert [entry["photo"] for entry in json.loads(done.stdout)] == ["a.png", "b.jpg"]
    # The reader is gone before anything is written.
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*command, "list"], stdout=write, stderr=subprocess.PIPE, env=env)
    os.close(write)
    assert done.returncode == 141
    assert b"BrokenPipe" not in done.stderr
