"""`zoo predict`."""

import json
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.cli.predict import picture_files
from zoo.tasks.classification import predict

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


def test_options_of_another_task(capsys, photos):
    for option in (["--threshold", "0.3"], ["--to", "out"]):
        assert main(["predict", NAME, "a.png", *option]) == 2
        assert f"{option[0]} is for detection; {NAME} is for" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("photos", "to", "files"),
    [
        (["a/1.jpg", "b/1.jpg"], None, ["a/1.objects.png", "b/1.objects.png"]),
        (["a/1.jpg", "b/1.jpg"], "out", ["out/1.objects.png", "out/1-2.objects.png"]),
        (["a.jpg", "a.png", "a-2.jpg"], None, ["a", "a-2", "a-2-2"]),
        (["a.jpg", "./a.jpg", "a.jpg"], None, ["a", "a-2"]),
        # A photo is not written over either.
        (["a.jpg", "a.objects.png"], None, ["a-2.objects.png", "a.objects.objects.png"]),
    ],
)
def test_no_picture_overwrites_another(photos, to, files):
    expected = [f if f.endswith(".png") else f"{f}.objects.png" for f in files]
    assert [str(path) for path in picture_files(photos, to).values()] == expected
