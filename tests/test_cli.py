"""The console command, called as a function and once as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main
from zoo.hub import BatchNorm, Card, Metric, Training, index, parse_card, save_checkpoint
from zoo.prediction import predict
from zoo.preprocessing import Preprocess

CARD = Card(
    zoo_format=1,
    name="maxnorm_mlp3.test",
    version=1,
    architecture="maxnorm_mlp3",
    args={"units": 20},
    preprocess=Preprocess(
        size=(16, 16),
        channels=1,
        resize=16,
        interpolation="bicubic",
        scale=1 / 127.5,
        mean=(1.0,),
        std=(1.0,),
    ),
    labels=("zero", "one", "two", "three", "four", "fünf", "six", "seven", "eight", "nine"),
    files={},
    head=("head_dense",),
    params=0,  # filled in
    dtype="float32",
    batch_norm=BatchNorm(1e-5, 0.9),
    metrics=(Metric("usps", "test", "top1", 0.9487, 2007, "python -m training.evaluate"),),
    training=Training(
        "maxnorm_mlp", ("epochs=2",), "abc", "usps", 2, 0, "jax", "cpu", 1.5, 0, "5.48% error", ()
    ),
    license="MIT",
    citation="Oyedotun et al., 2020",
    requires="zoo>=0.1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the only checkpoint there is."""
    folder = tmp_path_factory.mktemp("weights") / CARD.name
    save_checkpoint(zoo.create("maxnorm_mlp3", units=20), folder, CARD)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return index.load(folder)


@pytest.fixture(autouse=True)
def weights(monkeypatch, folder):
    monkeypatch.setattr(index, "ROOTS", (folder.parent,))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two pictures and a text in the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("a.png", "b.jpg"):
        Image.fromarray(random.integers(0, 256, (30, 20, 3)).astype("uint8")).save(name)
    (tmp_path / "notes.txt").write_text("no picture")


# ------------------------------------------------------------------------------------------- list


def test_list(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("architectures\n  plainnet20\n")
    assert "\ncheckpoints\n  maxnorm_mlp3.test 94.87% top-1 on usps test\n" in out


def test_list_pattern(capsys):
    assert main(["list", "plainnet2*"]) == 0
    assert capsys.readouterr().out == "architectures\n  plainnet20\n"
    assert main(["list", "*.test"]) == 0
    assert capsys.readouterr().out.startswith("checkpoints\n  maxnorm_mlp3.test ")


def test_list_json(capsys, model):
    assert main(["list", "maxnorm_mlp3*", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "architectures": ["maxnorm_mlp3"],
        "checkpoints": [
            {
                "name": "maxnorm_mlp3.test",
                "params": model.count_params(),
                "license": "MIT",
                "top1": 0.9487,
                "data": "usps test",
            }
        ],
    }


def test_list_builds_no_model(monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("a model is built")

    monkeypatch.setattr("keras.Model.__init__", build)
    assert main(["list"]) == 0


def test_list_without_match(capsys):
    assert main(["list", "plainet20"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "zoo: Unknown model or checkpoint: 'plainet20'. Did you mean 'plainnet20'?\n"
    )


# ------------------------------------------------------------------------------------------- info


def test_info_of_an_architecture(capsys):
    assert main(["info", "maxnorm_mlp3"]) == 0
    out = capsys.readouterr().out
    assert f"{zoo.create('maxnorm_mlp3').count_params():,} with the defaults" in out
    assert "Oyedotun" in out
    assert "maxnorm_mlp3.test" in out
    options = {line.split()[0]: line for line in out.split("zoo.create\n")[1].splitlines()}
    assert options["units"].split(maxsplit=2) == ["units", "300", "an integer from 1 to 65536"]
    assert "'leaky_relu'  one of 'relu', 'crelu'" in options["nonlinearity"]
    assert "depth" not in options


def test_info_of_an_architecture_as_json(capsys):
    assert main(["info", "plainnet20", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["name"] == "plainnet20"
    assert info["checkpoints"] == []
    assert info["params"] == zoo.create("plainnet20").count_params()
    assert info["options"]["width"] == {"default": 16, "allowed": "an integer from 1 to 4096"}


def test_info_of_a_checkpoint(capsys, folder, model):
    assert main(["info", CARD.name]) == 0
    out = capsys.readouterr().out
    assert main(["info", str(folder)]) == 0
    assert capsys.readouterr().out == out
    for fact in (
        "maxnorm_mlp3.test, version 1",
        "maxnorm_mlp3(units=20)",
        f"{model.count_params():,}, float32",
        "0.9487 on usps test (2,007 images): python -m training.evaluate",
        "16 x 16 x 1",
        "10: zero, one",
        "recipe maxnorm_mlp epochs=2",
        "MIT",
        "zoo>=0.1",
    ):
        assert fact in out


def test_info_of_a_checkpoint_as_json(capsys, model):
    assert main(["info", CARD.name, "--json"]) == 0
    assert parse_card(capsys.readouterr().out.encode(), "stdout") == model.zoo_card


def test_info_of_an_unknown_name(capsys):
    assert main(["info", "maxnorm_mpl3.test"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Did you mean 'maxnorm_mlp3.test'?" in captured.err
    assert main(["info", "no/such/folder"]) == 2


# ---------------------------------------------------------------------------------------- predict


def test_predict(capsys, photos, model):
    assert main(["predict", CARD.name, "a.png", "b.jpg", "--top", "3"]) == 0
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
    assert main(["predict", CARD.name, *names, *flags]) == 1
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
    assert main(["predict", CARD.name, "a.png", "--top", "0"]) == 2
    assert capsys.readouterr().err.startswith("zoo: top must be an integer of at least 1")


# ------------------------------------------------------------------------------- the command itself


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


def test_as_a_process(photos, folder):
    command = [sys.executable, "-m", "zoo.cli"]
    env = os.environ | {"PYTHONPATH": str(Path(zoo.__file__).parents[1])}
    done = subprocess.run(
        [*command, "predict", folder, "a.png", "notes.txt", "b.jpg", "--json"],
        capture_output=True,
        env=env,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.decode().splitlines()[-1].startswith("zoo: notes.txt is not an image")
    assert [entry["photo"] for entry in json.loads(done.stdout)] == ["a.png", "b.jpg"]
    # The reader is gone before anything is written.
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*command, "list"], stdout=write, stderr=subprocess.PIPE, env=env)
    os.close(write)
    assert done.returncode == 141
    assert b"BrokenPipe" not in done.stderr
