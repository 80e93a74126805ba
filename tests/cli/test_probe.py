"""`zoo probe`: models, batches, the report."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.support.helpers import array
from zoo.cli import main, probe_data, probe_model
from zoo.errors import UnknownNameError, ZooError
from zoo.signals.profile import gradient_norms


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


def test_classes_are_matched_with_the_labels(tmp_path, folder):
    model, _ = probe_model.load(str(folder))
    for label in ("two", "fünf", "eight"):  # "eight" comes first in the alphabet
        (tmp_path / label).mkdir()
        Image.new("L", (16, 16)).save(tmp_path / label / "1.png")
    (tmp_path / "empty").mkdir()
    _, targets, *_ = probe_data.batch(model, str(tmp_path), 9, seed=0)
    assert sorted(targets.tolist()) == [2, 5, 8]
    (tmp_path / "eight").rename(tmp_path / "ate")
    with pytest.raises(UnknownNameError, match=r"Unknown class of .+: 'ate'"):
        probe_data.batch(model, str(tmp_path), 9, seed=0)


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
    model, notes = probe_model.load("keras.applications.Tiny")
    assert model.layers[-1].activation is keras.activations.linear
    assert notes == ["Model: keras.applications.Tiny with fresh weights."]
    with pytest.raises(UnknownNameError, match="Did you mean 'ResNet50'"):
        probe_model.load("keras.applications.Resnet50")


def test_probe_errors(capsys, tmp_path):
    for arguments, message in (
        (["plainet20"], "Did you mean 'plainnet20'?"),
        (["maxnorm_mlp3", "--init", "hee"], "Did you mean 'he'?"),
        (["maxnorm_mlp3", "--data", "gone.npz"], "--data gone.npz is no folder and no .npz file"),
        (["maxnorm_mlp3", "--data", str(tmp_path)], "holds no pictures"),
        (["maxnorm_mlp3", "--batch", "0"], "--batch must be at least 1"),
        (["gone.keras"], "gone.keras cannot be loaded"),
        (["mask_rcnn_plainnet20"], "mask_rcnn_plainnet20 is for detection"),
        (["maxnorm_mlp3", "--to", str(tmp_path)], "--to must be a file"),
        (["maxnorm_mlp3", "--to", f"{__file__}/report.html"], "cannot be written"),
    ):
        assert main(["probe", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_probe_initializes_every_kernel():
    model = tiny()
    before = [array(v) for v in model.weights]
    probe_model.initialize(model, "orthonormal", seed=0)
    conv, head = (array(model.get_layer(name).kernel) for name in ("conv", "head"))
    for kernel in (conv.reshape(27, 5), head):
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(kernel.shape[1]), atol=1e-5)
    np.testing.assert_array_equal(array(model.get_layer("conv").bias), before[1])


def test_probe_batches(tmp_path):
    model = tiny()
    inputs, targets, loss, _ = probe_data.batch(model, None, 7, seed=1)
    assert inputs.shape == (7, 4, 4, 3)
    assert targets.shape == (7,)
    assert set(targets) <= {0, 1, 2}
    assert loss is None
    again, *_ = probe_data.batch(model, None, 7, seed=1)
    np.testing.assert_array_equal(inputs, again)
    # Pictures by class, evenly chosen, for a model that has no card.
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            Image.new("RGB", (8, 4), (255, 0, 0)).save(tmp_path / label / f"{i}.png")
    inputs, targets, _, notes = probe_data.batch(model, str(tmp_path), 4, seed=0)
    assert targets.tolist() == [0, 0, 0, 1] or targets.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(inputs, np.broadcast_to([1.0, -1.0, -1.0], (4, 4, 4, 3)), atol=1e-6)
    assert notes == [f"Data: 4 pictures of {tmp_path}, scaled to [-1, 1]."]
    # What is hidden is no class and no picture.
    (tmp_path / ".thumbnails").mkdir()
    for place in (".thumbnails/0.png", "a/._0.png"):
        (tmp_path / place).write_bytes(b"no picture")
    _, again, _, notes = probe_data.batch(model, str(tmp_path), 9, seed=0)
    assert again.tolist() == [0] * 4 + [1] * 4
    # A model that gives one number is judged by its squared error.
    regression = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    _, targets, loss, _ = probe_data.batch(regression, None, 5, seed=0)
    assert (targets.shape, loss) == ((5, 1), "mean_squared_error")
    words = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(9, 2)])
    with pytest.raises(ZooError, match="give --data"):
        probe_data.batch(words, None, 5, seed=0)
