import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import toy
from safetensors.numpy import load_file

import zoo
from training import evaluate, publish_checkpoint, train
from training.state import restore_state, save_state, states
from zoo.errors import ZooError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def toy_data(monkeypatch):
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))


def start(run: Path, before: str = "", epochs: int = 4) -> subprocess.Popen:
    """The toy training in a fresh process."""
    code = (
        f"import dataclasses, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import toy; toy.use_toy_data()\n"
        f"{before}\n"
        "from pathlib import Path; from training.train import train\n"
        f"train(dataclasses.replace(toy.RECIPE, epochs={epochs}), Path(sys.argv[1]), '')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, str(run)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen) -> None:
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("uninterrupted")
    finish(start(run))
    return run


def final_state(run: Path) -> dict:
    assert states(run)[0].name == "state-00004.safetensors"
    return load_file(states(run)[0])


def assert_same_training(run: Path, other: Path) -> None:
    """Every weight, momentum, random state and step count, and the checkpoint, bit for bit."""
    ours, theirs = final_state(run), final_state(other)
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    a, b = (load_file(r / "checkpoint" / "model.safetensors") for r in (run, other))
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_killed_in_an_epoch_and_started_again(uninterrupted, tmp_path):
    process = start(tmp_path)
    for line in process.stdout:
        if line.startswith("Epoch 3/"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finish(start(tmp_path))
    assert_same_training(tmp_path, uninterrupted)
    # Each epoch is logged once.
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


def test_killed_while_writing_a_state_and_started_again(uninterrupted, tmp_path):
    process = start(tmp_path, before="toy.die_while_writing_state(3)")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert states(tmp_path)[0].name == "state-00002.safetensors"
    finish(start(tmp_path))
    assert_same_training(tmp_path, uninterrupted)


def test_a_corrupt_state_costs_one_epoch(uninterrupted, tmp_path):
    process = start(tmp_path, before="toy.die_while_writing_state(4)")
    process.communicate()
    newest = states(tmp_path)[0]
    assert newest.name == "state-00003.safetensors"
    newest.write_bytes(newest.read_bytes()[:5000])
    finish(start(tmp_path))
    assert_same_training(tmp_path, uninterrupted)


def test_run_to_published_checkpoint(toy_data, uninterrupted, tmp_path, monkeypatch, capsys):
    about = json.loads((uninterrupted / "run.json").read_text())
    assert about["recipe"]["epochs"] == 4
    assert about["backend"] == keras.backend.backend()
    log = json.loads((uninterrupted / "log.json").read_text())
    assert [("test_accuracy" in row) for row in log] == [False, True, False, True]
    assert log[-1]["learning_rate"] == pytest.approx(0, abs=1e-6)
    assert (uninterrupted / "curve.png").read_bytes().startswith(b"\x89PNG")

    folder = publish_checkpoint.publish(uninterrupted, tmp_path / "weights", "")
    assert folder == tmp_path / "weights" / "maxnorm_mlp3.toy"
    card = zoo.card(folder)
    measured = json.loads((uninterrupted / "metrics.json").read_text())
    stated = {(m.split, m.name): m.value for m in card.metrics}
    assert stated["test", "top1"] == pytest.approx(measured["test"]["top1"], abs=5e-4)
    assert stated["test", "top1"] > 0.6
    assert card.training.epochs == 4
    assert card.training.recalibrated == 80
    assert "estimated anew from 80 training images" in (folder / "README.md").read_text()
    assert (folder / "curve.png").exists()
    assert len(card.training.curve) == 4
    assert card.labels == ("top", "left", "neither")

    # The program that the card names gives the card's figures, and notices wrong ones.
    assert evaluate.main([str(folder), "--data-dir", "", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["top1"] == pytest.approx(stated["test", "top1"], abs=1e-6)
    text = (folder / "zoo.json").read_text()
    wrong = text.replace(f'"value": {stated["test", "top1"]}', '"value": 0.123')
    assert wrong != text
    (folder / "zoo.json").write_text(wrong)
    assert evaluate.main([str(folder), "--data-dir", ""]) == 1
    assert "differs in: top1" in capsys.readouterr().err

    # A published name keeps its weights.
    with pytest.raises(ZooError, match="exists"):
        publish_checkpoint.publish(uninterrupted, tmp_path / "weights", "")
    publish_checkpoint.publish(uninterrupted, tmp_path / "weights", "", new_version=True)
    assert zoo.card(folder).version == 2


def test_a_run_folder_of_other_settings_is_refused(uninterrupted, capsys, toy_data):
    before = {p.name: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()}
    with pytest.raises(ZooError, match=r"other settings \(seed\)"):
        train.train(
            train.recipes.override(toy.RECIPE, ["seed=1"]), uninterrupted, "", name="custom"
        )
    assert before == {p.name: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()}


def test_a_state_of_another_net_is_refused_before_anything_is_loaded(tmp_path):
    images = toy.images()
    save_state(tmp_path, train.build(toy.RECIPE, images), 1, [])
    other = train.build(train.recipes.override(toy.RECIPE, ["model_args.units=20"]), images)
    before = [v.numpy() for v in other.variables]
    with pytest.raises(ZooError, match="belongs to another training: it differs in"):
        restore_state(tmp_path, other)
    for value, variable in zip(before, other.variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())


def test_an_unfinished_run_is_not_published(tmp_path):
    with pytest.raises(ZooError, match="not a finished run"):
        publish_checkpoint.publish(tmp_path, tmp_path / "weights", "")


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="about the other backends")
def test_trains_where_tensorflow_is_not_installed(tmp_path):
    finish(start(tmp_path, before="sys.modules['tensorflow'] = None", epochs=1))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float32"])
@pytest.mark.parametrize("pipeline", ["memory", "tfdata"])
def test_pipelines_and_policies(toy_data, tmp_path, pipeline, dtype):
    settings = ["epochs=2", f"pipeline={pipeline}", f"dtype={dtype}", "crop=0", "flip=False"]
    metrics = train.train(train.recipes.override(toy.RECIPE, settings), tmp_path, "")
    assert metrics["test"]["top1"] > 0.5
    assert keras.config.dtype_policy().name == "float32"


def test_measure_counts_by_hand():
    images = toy.images("test")

    class Fixed:
        def predict_on_batch(self, x):
            return np.tile([0.5, 0.3, 0.2], (len(x), 1))

    measured = evaluate.measure(Fixed(), images, toy.RECIPE.preprocess, batch_size=10)
    assert measured["top1"] == 11 / 33
    assert measured["top5"] == 1
    assert measured["loss"] == pytest.approx(-np.log([0.5, 0.3, 0.2]).mean())


def test_command_line(capsys):
    assert train.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "maxnorm_mlp100_usps" in listed
    assert "maxnorm_plainnet50_cifar10" in listed
    assert train.main(["maxnorm_mlp100_ups"]) == 1
    assert "Did you mean 'maxnorm_mlp100_usps'" in capsys.readouterr().err
    assert train.main(["maxnorm_mlp100_usps", "epoch=3"]) == 1
    assert "Did you mean 'epochs'" in capsys.readouterr().err
