"""The console command, called as a function and once as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import array
from PIL import Image

import zoo
from zoo import cli_probe
from zoo.checkpoint import BatchNorm, Card, Metric, Training, parse_card, save_checkpoint
from zoo.cli import main
from zoo.errors import UnknownNameError, ZooError
from zoo.hub import index
from zoo.prediction import predict
from zoo.preprocessing import Preprocess
from zoo.signals.profile import gradient_norms

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
    monkeypatch.setattr(index, "read_pins", dict)


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


# ------------------------------------------------------------------------------------------ probe


def tiny(classifier_activation="softmax", weights=None):
    """As of keras.applications."""
    assert weights is None
    return keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Conv2D(5, 3, name="conv", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation=classifier_activation, name="head"),
        ],
        name="tiny",
    )


def test_probe_an_architecture(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["probe", "maxnorm_mlp3", "--batch", "6", "--init", "orthonormal"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("zoo probe: building maxnorm_mlp3 …\nzoo probe: gradients and")
    lines = captured.out.splitlines()
    assert lines[:3] == [
        "Model: maxnorm_mlp3 with fresh weights.",
        "All 4 kernels were initialized anew: orthonormal.",
        "Data: 6 random normal inputs, random targets.",
    ]
    assert lines[3].startswith("- ")
    assert lines[-1] == "report: maxnorm_mlp3.probe.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "maxnorm_mlp3.probe.html",
        *(
            f"maxnorm_mlp3.probe_{name}.png"
            for name in ("activations", "error_ratio", "gradient_norm", "spectra", "weights")
        ),
    ]


def test_probe_a_checkpoint_with_photos(capsys, photos, folder):
    assert main(["probe", str(folder), "--data", ".", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notes"] == [
        f"Model: the checkpoint {folder}.",
        "Data: 2 pictures of ., prepared as the model's card says, random targets.",
    ]
    assert found["verdict"][0]["text"]
    assert list(found["signals"]["gradient_norm"])[-1] == "head_dense"
    assert not list(Path().glob("*.html"))


def test_probe_a_keras_file_with_arrays(capsys, tmp_path):
    model = tiny()
    model.save(tmp_path / "tiny.keras")
    x = np.random.default_rng(0).standard_normal((20, 4, 4, 3))
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(20) % 3)
    arguments = ["probe", str(tmp_path / "tiny.keras"), "--data", str(tmp_path / "data.npz")]
    report = tmp_path / "reports" / "one.html"
    assert main([*arguments, "--batch", "20", "--json", "--to", str(report)]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = gradient_norms(model, x.astype("float32"), np.arange(20) % 3)
    assert found["signals"]["gradient_norm"] == pytest.approx(expected, rel=1e-4)
    assert report.exists()
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(20))
    assert main(arguments) == 2
    assert "whole numbers from 0 to 2" in capsys.readouterr().err


def test_probe_runs_no_code_of_a_keras_file(capsys, tmp_path):
    hit = tmp_path / "hit"
    code = eval(f"lambda x: (__import__('os').makedirs({str(hit)!r}), x)[1]")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(code)])
    hit.rmdir()
    model.save(tmp_path / "evil.keras")
    assert main(["probe", str(tmp_path / "evil.keras")]) == 2
    error = capsys.readouterr().err
    assert "evil.keras cannot be loaded" in error
    assert not hit.exists()


def test_probe_loads_applications(monkeypatch):
    monkeypatch.setattr(keras.applications, "Tiny", tiny, raising=False)
    model, notes = cli_probe.load("keras.applications.Tiny")
    assert model.layers[-1].activation is keras.activations.linear
    assert notes == ["Model: keras.applications.Tiny with fresh weights."]
    with pytest.raises(UnknownNameError, match="Did you mean 'ResNet50'"):
        cli_probe.load("keras.applications.Resnet50")


def test_probe_errors(capsys, tmp_path):
    for arguments, message in (
        (["plainet20"], "Did you mean 'plainnet20'?"),
        (["maxnorm_mlp3", "--init", "hee"], "Did you mean 'he'?"),
        (["maxnorm_mlp3", "--data", "gone.npz"], "--data gone.npz is no folder and no .npz file"),
        (["maxnorm_mlp3", "--data", str(tmp_path)], "holds no pictures"),
        (["maxnorm_mlp3", "--batch", "0"], "--batch must be at least 1"),
        (["gone.keras"], "gone.keras cannot be loaded"),
    ):
        assert main(["probe", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_probe_initializes_every_kernel():
    model = tiny()
    before = [array(v) for v in model.weights]
    cli_probe.initialize(model, "orthonormal", seed=0)
    conv, head = (array(model.get_layer(name).kernel) for name in ("conv", "head"))
    for kernel in (conv.reshape(27, 5), head):
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(kernel.shape[1]), atol=1e-5)
    np.testing.assert_array_equal(array(model.get_layer("conv").bias), before[1])


def test_probe_batches(tmp_path):
    model = tiny()
    inputs, targets, loss, _ = cli_probe.batch(model, None, 7, seed=1)
    assert inputs.shape == (7, 4, 4, 3)
    assert targets.shape == (7,)
    assert set(targets) <= {0, 1, 2}
    assert loss is None
    again, *_ = cli_probe.batch(model, None, 7, seed=1)
    np.testing.assert_array_equal(inputs, again)
    # Pictures by class, evenly chosen, for a model that has no card.
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            Image.new("RGB", (8, 4), (255, 0, 0)).save(tmp_path / label / f"{i}.png")
    inputs, targets, _, notes = cli_probe.batch(model, str(tmp_path), 4, seed=0)
    assert targets.tolist() == [0, 0, 0, 1] or targets.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(inputs, np.broadcast_to([1.0, -1.0, -1.0], (4, 4, 4, 3)), atol=1e-6)
    assert notes == [f"Data: 4 pictures of {tmp_path}, scaled to [-1, 1]."]
    # A model that gives one number is judged by its squared error.
    regression = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    _, targets, loss, _ = cli_probe.batch(regression, None, 5, seed=0)
    assert (targets.shape, loss) == ((5, 1), "mean_squared_error")
    words = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(9, 2)])
    with pytest.raises(ZooError, match="give --data"):
        cli_probe.batch(words, None, 5, seed=0)


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


@pytest.mark.once
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
