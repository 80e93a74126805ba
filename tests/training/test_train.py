import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

import zoo
from tests.support import toy
from tests.support.helpers import array
from training import evaluate, publish_checkpoint, train
from training.data import Images, Pictures
from training.data.holdout import hold_out
from training.diverged import report
from training.engines import Engine
from training.results.runs import read_run
from training.state import Position, restore_state, save_state
from training.tasks.classification.measure import measure
from training.tasks.classification.model import build
from zoo.checkpoint import Origin
from zoo.errors import ZooError

ROOT = Path(__file__).parents[2]


def test_report_of_divergence_goes_back_to_the_last_good_state(tmp_path):
    trainer = network()
    save_state(tmp_path, trainer, Position(2, 7, 1.0, []))
    kernel = trainer.get_layer("maxnorm_mlp3").get_layer("hidden2_dense").kernel
    good = array(kernel)
    kernel.assign(np.where(np.eye(*good.shape) == 1, np.nan, good))
    told = report(tmp_path, trainer, "the loss is nan")
    assert told["good"] == {"epoch": 2, "step": 7}
    first, second = told["variables"][:2]
    assert (first["path"], first["not_finite"]) == (kernel.path, min(good.shape))
    assert second["not_finite"] == 0
    assert first["good_norm"] == pytest.approx(np.linalg.norm(good), rel=1e-5)
    np.testing.assert_array_equal(array(kernel), good)


def network(labels=("top", "left", "neither"), **settings) -> keras.Model:
    return build(dataclasses.replace(toy.RECIPE, **settings), labels, "uint8", 5, Engine())


@pytest.mark.parametrize("labels", [("top", "left", "neither"), ("a", "b", "c"), ("a", "b")])
def test_starts_from_the_weights_of_a_checkpoint(uninterrupted, labels):
    folder = uninterrupted / "checkpoint"
    trainer = network(labels, weights=str(folder))
    stored = load_file(folder / "model.safetensors")
    fresh = ("head_dense",) if labels[0] == "a" else ()
    weights = {v.path: array(v) for v in trainer.get_layer("maxnorm_mlp3").weights}
    assert weights.keys() == stored.keys()
    for path, value in weights.items():
        if not path.startswith(fresh):
            np.testing.assert_array_equal(value, stored[path])
    kernel = weights["head_dense/kernel"]
    assert kernel.shape == (24, len(labels))
    if fresh and len(labels) == 3:
        assert np.any(kernel != stored["head_dense/kernel"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model_args": {"units": 20}}, "has hidden1_dense/kernel of shape .* the same model_args"),
        (
            {"model_args": {"units": 24, "norm": "none"}},
            "has in addition hidden1_norm/.* the same model_args",
        ),
        ({"model": "maxnorm_mlp5"}, "must be of maxnorm_mlp5.* of maxnorm_mlp3"),
    ],
)
def test_weights_that_do_not_fit_are_refused(uninterrupted, settings, told):
    with pytest.raises(ZooError, match=told):
        network(weights=str(uninterrupted / "checkpoint"), **settings)


def test_the_card_tells_what_the_weights_were_before(uninterrupted, toy_data, tmp_path):
    first = zoo.card(uninterrupted / "checkpoint")
    assert first.training.origin is None
    recipe = dataclasses.replace(
        toy.RECIPE, epochs=1, warmup_epochs=0, weights=str(uninterrupted / "checkpoint")
    )
    train.train(recipe, tmp_path, "")
    second = zoo.card(tmp_path / "checkpoint")
    time = first.training.wall_time
    assert second.training.origin == Origin("maxnorm_mlp3.toy", 1, "toy", 4, time)
    assert Origin.of(second).epochs == 5
    assert "maxnorm\\_mlp3.toy, version 1" in (tmp_path / "checkpoint" / "README.md").read_text()


@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
def test_accumulation_is_the_whole_batch(clip_norm):
    """Two passes of 8 images make the update that one of 16 makes, where nothing looks at the
    batch."""
    options = {"model_args": {"units": 24, "norm": "none"}, "clip_norm": clip_norm, "crop": 0}
    options |= {"schedule": "steps", "epochs": 2, "flip": False, "warmup_epochs": 0}
    data = toy.images()
    kernels = []
    for accumulate in (1, 2):
        keras.utils.set_random_seed(0)
        trainer = network(accumulate=accumulate, **options)
        trainer.fit(
            {"image": data.x[:80]}, data.y[:80], batch_size=16 // accumulate, shuffle=False,
            epochs=2, verbose=0,
        )  # fmt: skip
        kernels.append([array(v) for v in trainer.trainable_variables])
    for one, two in zip(*kernels, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-6)


def test_run_to_published_checkpoint(toy_data, uninterrupted, tmp_path, monkeypatch, capsys):
    about = json.loads((uninterrupted / "run.json").read_text())
    assert about["recipe"]["epochs"] == 4
    assert about["backend"] == keras.backend.backend()
    log = json.loads((uninterrupted / "log.json").read_text())
    assert [("test_accuracy" in row) for row in log] == [False, True, False, True]
    assert log[-1]["learning_rate"] == pytest.approx(0, abs=1e-6)
    assert (uninterrupted / "curve.png").read_bytes().startswith(b"\x89PNG")

    (tmp_path / "file").touch()
    assert publish_checkpoint.main([str(uninterrupted), "--to", str(tmp_path / "file")]) == 1
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
    other = publish_checkpoint.publish(uninterrupted, tmp_path / "weights", "", tag="toy_short")
    assert other.name == zoo.card(other).name == "maxnorm_mlp3.toy_short"
    assert zoo.card(other).version == zoo.card(folder).version - 1


def test_settings_are_chosen_on_held_out_images(monkeypatch, tmp_path):
    asked = []

    def read(name, split, *_, **__):
        asked.append(split)
        return toy.images(split)

    monkeypatch.setattr("training.data.read", read)
    recipe = train.recipes.override(toy.RECIPE, ["epochs=2", "holdout=25"])
    metrics = train.train(recipe, tmp_path / "run", "")
    assert asked == ["train"]  # the test set is not so much as opened
    assert metrics.keys() == {"held_out", "held_out, moving averages", "train"}
    log = json.loads((tmp_path / "run" / "log.json").read_text())
    assert "held_out_accuracy" in log[-1]
    assert not any(key.startswith("test") for row in log for key in row)
    with pytest.raises(ZooError, match="held out a part of the training set"):
        publish_checkpoint.publish(tmp_path / "run", tmp_path / "weights", "")
    assert not (tmp_path / "weights").exists()
    with pytest.raises(ZooError, match="held images out"):
        read_run(tmp_path / "run")


def test_holding_out_parts_the_training_set():
    whole = toy.images()
    kept, held = hold_out(whole, 25)
    assert (len(kept.y), len(held.y), held.labels) == (65, 25, whole.labels)
    both = np.concatenate([kept.x, held.x])
    assert {x.tobytes() for x in both} == {x.tobytes() for x in whole.x}  # all differ
    label = {x.tobytes(): y for x, y in zip(whole.x, whole.y, strict=True)}
    assert all(label[x.tobytes()] == y for x, y in zip(held.x, held.y, strict=True))
    np.testing.assert_array_equal(hold_out(whole, 25)[1].x, held.x)
    for count in (90, -1):
        with pytest.raises(ZooError, match=f"Received: {count}"):
            hold_out(whole, count)
    on_disk = Images(Pictures([bytes([i]) for i in range(90)]), whole.y, whole.labels)
    np.testing.assert_array_equal(hold_out(on_disk, 25)[1].y, held.y)


def test_a_run_folder_of_other_settings_is_refused(uninterrupted, capsys, toy_data):
    before = {p.name: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()}
    with pytest.raises(ZooError, match=r"other settings \(seed\)"):
        train.train(
            train.recipes.override(toy.RECIPE, ["seed=1"]), uninterrupted, "", name="custom"
        )
    assert before == {p.name: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()}


def test_a_state_of_another_net_is_refused_before_anything_is_loaded(tmp_path):
    save_state(tmp_path, network(), Position(1))
    other = network(model_args={"units": 20})
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
    words = ["-m", "tests.support.toy", "toy", "epochs=1", "--run", tmp_path]
    environment = {**os.environ, "ZOO_TEST": "without tensorflow"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0


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

    measured = measure(Fixed(), images, toy.RECIPE.preprocess, batch_size=10)
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
