"""`zoo finetune`."""

import json

import pytest

from tests.support import photo_folder
from zoo.cli import main

NAME = "maxnorm_mlp3.test"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo_folder.write(tmp_path / "photos", count=5, classes=("bar", "disc"))


def test_finetune_then_predict(capsys, here):
    """A newcomer's two commands, the second as the first one says."""
    assert main(["finetune", NAME, "photos", "--epochs", "1", "--no-flip"]) == 0
    captured = capsys.readouterr()
    assert "2 validation pictures right" in captured.out
    assert "linear probe: validation" in captured.err
    command = next(line for line in captured.out.splitlines() if "zoo predict" in line)
    words = command.replace("photo.jpg", "photos/bar/0.png").split()[1:]
    assert words[1] == "maxnorm_mlp3.photos"
    assert main(words) == 0
    assert {"bar", "disc"} <= set(capsys.readouterr().out.split())


def test_json(capsys, here):
    assert main(["finetune", NAME, "photos", "--out", "new", "--epochs", "0", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["folder"], answer["epochs"], answer["classes"]) == ("new", 0, ["bar", "disc"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["maxnorm_mlp3.tset", "photos"], "Did you mean 'maxnorm_mlp3.test'?"),
        ([NAME, "fotos"], "zoo: fotos does not exist. Give a folder"),
        ([NAME, "photos/bar"], "must hold at least two folders of pictures"),
        ([NAME, "photos", "--out", "photos/new"], "Choose another with out=… (--out)"),
        ([NAME, "photos", "--validation", "2"], "validation must be a share between 0 and 1"),
        ([NAME, "photos", "--input-shape", "9,9,1"], "is for input_shape=(16, 16, 1) alone"),
    ],
)
def test_refusals(capsys, here, words, message):
    assert main(["finetune", *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_ctrl_c(capsys, here, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.tuning.tune.read_pictures", interrupt)
    assert main(["finetune", NAME, "photos"]) == 130
    assert "The same command goes on after the last epoch." in capsys.readouterr().err
