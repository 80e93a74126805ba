"""`zoo predict`."""

import json

import pytest

from zoo.cli import main
from zoo.prediction import predict

NAME = "maxnorm_mlp3.test"


def test_predict(capsys, photos, model):
    assert main(["predict", NAME, "a.png", "b.jpg", "--top", "3"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert captured.err == ""
    assert len(lines) == 8
    assert (lines[0], lines[4]) == ("a.png", "b.jpg")
    for line, (label, probability) in zip(lines[1:4], predict(model, "a.png", top=3), strict=True):
        assert line.split() == [label, f"{probability:.2%}"]


def test_predict_json(capsys, photos, folder, model):
    assert main(["predict", str(folder), "a.png", "b.jpg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "photo": photo,
            "predictions": [{"label": n, "probability": p} for n, p in predict(model, photo)],
        }
        for photo in ("a.png", "b.jpg")
    ]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_unreadable_photo_among_good_ones(capsys, photos, flags):
    names = ["a.png", "notes.txt", "gone.png", "b.jpg"]
    assert main(["predict", NAME, *names, *flags]) == 1
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert first.startswith("zoo: notes.txt is not an image")
    assert second.startswith("zoo: There is no file gone.png")
    if flags:
        assert [entry["photo"] for entry in json.loads(captured.out)] == ["a.png", "b.jpg"]
    else:
        assert [x for x in captured.out.splitlines() if x[0] != " "] == ["a.png", "b.jpg"]


def test_predict_errors(capsys, photos):
    assert main(["predict", "maxnorm_mlp3.tset", "a.png"]) == 2
    assert "Did you mean 'maxnorm_mlp3.test'?" in capsys.readouterr().err
    assert main(["predict", NAME, "a.png", "--top", "0"]) == 2
    assert capsys.readouterr().err.startswith("zoo: top must be an integer of at least 1")
