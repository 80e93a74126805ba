"""Training of detectors: from a folder of photos to a checkpoint, through stops and refusals."""

import csv
import dataclasses
import json
import os
import signal

import keras
import numpy as np
import pytest

import zoo
from tests.support import fresh, photos
from tests.support.helpers import array
from tests.support.programs import finish, pair
from training import evaluate, publish_checkpoint
from training import recipe as recipes
from training.data.pipeline import Share
from training.diverged import Diverged
from training.engines import Engine, sign_of_a_lost_process
from training.guard import RunGuard, Stopped
from training.tasks.detection import validation
from training.tasks.detection.batches import Batches
from training.tasks.detection.data import learned_from, read
from training.tasks.detection.measure import headline, predictions
from training.tasks.detection.model import rate
from training.tasks.detection.recipe import DetectionRecipe
from training.train import train
from zoo.checkpoint import Origin
from zoo.errors import ZooError
from zoo.preprocessing import IMAGENET

RECIPE = DetectionRecipe(
    model="mask_rcnn_plainnet20",
    data="",
    steps=4,
    learning_rate=0.01,
    batch_size=2,
    drops=(0.5,),
    warmup_steps=2,
    size=(64, 64),
    max_objects=3,
    round=2,
    validation="train",
    tag="toy",
    preprocess=IMAGENET,
    model_args={
        "width": 4,
        "fpn_filters": 8,
        "head_units": 8,
        "pre_nms": 20,
        "proposals": 8,
        "roi_samples": 8,
        "score_threshold": 0.0,
        "orthonormal": 0.0,
        "weight_decay": 1e-3,
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photos.write(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """(recipe, run folder, figures) of an uninterrupted training."""
    recipe = dataclasses.replace(RECIPE, data=str(folder))
    run = tmp_path_factory.mktemp("run")
    return recipe, run, train(recipe, run, "")


def test_from_photos_to_a_checkpoint(finished, folder):
    recipe, run, figures = finished
    assert set(figures) == {"box", "mask"}
    assert set(figures["box"]["per_class"]) == {"rectangle", "disc"}
    assert json.loads((run / "metrics.json").read_text())["box"]["AP"] == figures["box"]["AP"]
    history = json.loads((run / "log.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2]
    losses = sum(v for k, v in history[0].items() if k.endswith("_loss"))
    assert losses + 0.001 < history[0]["loss"] < losses + 1  # with the weight decay
    assert (run / "curve.png").stat().st_size > 5000

    model = zoo.load(run / "checkpoint")
    assert model.zoo_card.labels == ("disc", "rectangle")
    assert model.zoo_card.preprocess.size == (64, 64)
    assert model.zoo_card.training.epochs == 3  # 4 updates by 2 of 3 photos: the third was begun
    results = json.loads((run / "results.json").read_text())
    assert {r["category_id"] for r in results} <= {3, 7}
    found = predictions(model, learned_from(read(recipe.data, "train", "")), IMAGENET, 2)
    assert [number for number, _ in found] == [100, 101, 102]  # the last batch is filled up
    assert sum(len(f["scores"]) for _, f in found) == len(results)
    scores = [r["score"] for r in results if r["image_id"] == 100]
    np.testing.assert_allclose(found[0][1]["scores"], scores, rtol=1e-4)


def test_measured_again_on_the_console(finished, folder, tmp_path, capsys):
    _, run, figures = finished
    call = [str(run / "checkpoint"), "--data", str(folder), "--split", "train"]
    assert evaluate.main([*call, "--limit", "3", "--to", str(tmp_path), "--batch-size", "2"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:])
    assert lines["AP50"].split()[0] == f"{100 * figures['box']['AP50']:.1f}%"
    again = json.loads((tmp_path / "metrics.json").read_text())
    assert again == json.loads((run / "metrics.json").read_text())
    card = zoo.card(run / "checkpoint")
    stated = {metric.name: metric.value for metric in card.metrics}
    assert stated == headline(figures)
    assert card.metrics[0].command.endswith(f"--data {folder.name} --split train")
    text = (run / "checkpoint" / "README.md").read_text()
    assert 'pipeline_tag: "image-segmentation"' in text
    assert "zoo.detection.predict" in text
    assert evaluate.main(["maxnorm_mlp100.usps", "--data", str(folder)]) == 2
    assert "--data is for detection" in capsys.readouterr().err
    other = photos.write(tmp_path / "other")
    path = other / "annotations" / "train.json"
    path.write_text(path.read_text().replace('"disc"', '"ring"'))
    assert evaluate.main([call[0], "--data", str(other), "--split", "train"]) == 2
    assert "the photos show 2 classes (ring, rectangle)" in capsys.readouterr().err
    # What measures classifiers alone.
    assert publish_checkpoint.main([str(run), "--to", str(tmp_path / "weights")]) == 1
    assert "zoo publish" in capsys.readouterr().err


@pytest.mark.release
def test_stopped_within_a_round_and_started_again(finished, tmp_path, monkeypatch):
    recipe, run, _ = finished
    step_done = RunGuard.on_train_batch_end

    def stopping(self, batch, logs=None):
        if self.epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        step_done(self, batch, logs)

    monkeypatch.setattr(RunGuard, "on_train_batch_end", stopping)
    recipe = dataclasses.replace(recipe, pipeline="memory")
    keras.backend.clear_session()  # names are then those of a fresh process
    with pytest.raises(Stopped):
        train(recipe, tmp_path, "")
    monkeypatch.undo()
    assert len(list(tmp_path.glob("state-00001-0000001.*"))) == 1
    keras.backend.clear_session()
    train(recipe, tmp_path, "")
    straight, resumed = zoo.load(run / "checkpoint"), zoo.load(tmp_path / "checkpoint")
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.release
def test_signals_averages_and_passes(folder, tmp_path):
    """Two updates of two passes over one photo each, probed behind each update."""
    recipe = dataclasses.replace(RECIPE, data=str(folder), steps=2, round=1, accumulate=2)
    train(dataclasses.replace(recipe, signals_every=2, average=0.5), tmp_path, "")
    values: dict[int, dict[str, float]] = {}
    with open(tmp_path / "signals.csv", newline="") as file:
        for row in csv.DictReader(file):
            values.setdefault(int(row["step"]), {})[row["key"]] = float(row["value"])
    assert list(values) == [0, 2, 4]
    for part in ("stem_conv", "rpn", "box_logits", "mask_logits"):
        norms = [v for key, v in values[4].items() if key.startswith("gradient/") and part in key]
        assert norms, part
        assert np.all(np.isfinite(norms))
    history = json.loads((tmp_path / "log.json").read_text())
    assert history[-1]["gradient/norm/max"] == pytest.approx(
        max(v for key, v in values[4].items() if key.startswith("gradient/norm")), rel=1e-6
    )


@pytest.mark.release
def test_a_diverged_training_tells_its_signals(folder, tmp_path):
    recipe = dataclasses.replace(RECIPE, data=str(folder), learning_rate=1e30, warmup_steps=0)
    with pytest.raises(Diverged):
        train(recipe, tmp_path, "")
    signals = json.loads((tmp_path / "diverged.json").read_text())["signals"]
    assert any("mask_logits" in layer for layer in signals["gradient"])


def test_fine_tuning_a_detector_for_other_classes(finished, tmp_path):
    recipe, run, _ = finished
    other = photos.write(tmp_path / "other", count=4)
    path = other / "annotations" / "train.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 9, "name": "star"})
    path.write_text(json.dumps(content))
    tuned = dataclasses.replace(
        recipe, data=str(other), weights=str(run / "checkpoint"), steps=2, learning_rate=0.0
    )
    with pytest.raises(ZooError, match="give the recipe its model"):
        train(dataclasses.replace(tuned, model="mask_rcnn_plainnet32"), tmp_path / "a", "")
    train(tuned, tmp_path / "run", "")
    before, after = zoo.load(run / "checkpoint"), zoo.load(tmp_path / "run" / "checkpoint")
    assert after.zoo_card.labels == ("disc", "rectangle", "star")
    assert after.zoo_card.training.origin == Origin.of(before.zoo_card)
    old = {v.path: np.asarray(v.numpy()) for v in before.weights}
    new = {v.path: np.asarray(v.numpy()) for v in after.weights}
    changed = {path for path in old if old[path].shape != new[path].shape}
    assert {path.partition("/")[0] for path in changed} == {
        "box_logits",
        "box_deltas",
        "mask_logits",
    }
    for path in old.keys() - changed:
        np.testing.assert_array_equal(old[path], new[path])


@pytest.mark.release
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="trains on one device")
def test_two_devices_are_as_one(folder, tmp_path):
    """Where nothing is left to chance: all anchors and all proposals are learned from."""
    engine = {"tensorflow": "mirrored", "jax": "jax"}[keras.backend.backend()]
    settings = [f"data={folder}", "flip=False", "validation=train", "pipeline=tfdata"]
    settings += ["batch_size=4", "steps=2", "round=2"]
    for name in ("model", "learning_rate", "warmup_steps", "size"):
        settings.append(f"{name}={getattr(RECIPE, name)}")
    args = RECIPE.model_args | {"rpn_samples": 10_000, "roi_samples": 64, "freeze": None}
    for name, value in args.items():
        settings.append(f"model_args.{name}={value}")
    runs = {"one": [], "two": ["--strategy", engine, "--devices", "2"]}
    for run, options in runs.items():
        words = ["training.train", "coco_finetune", *settings, *options, "--run", tmp_path / run]
        output = finish(fresh.start("-m", *map(str, words)))
    assert "2 device(s)" in output
    one, two = (zoo.load(tmp_path / run / "checkpoint") for run in runs)
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(array(a), array(b), atol=1e-4, err_msg=a.path)
    logs = [json.loads((tmp_path / run / "log.json").read_text())[-1] for run in runs]
    assert logs[1]["loss"] == pytest.approx(logs[0]["loss"], rel=1e-4)


@pytest.mark.release
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="trains on one device")
def test_two_processes_validate(folder, tmp_path):
    """Each its share of the photos, while neither waits for the other's devices."""
    settings = [f"data={folder}", "validation=train", "pipeline=tfdata", "clip_norm=0"]
    settings += ["batch_size=2", "steps=2", "round=1", "validate_every=1"]
    for name in ("model", "learning_rate", "warmup_steps", "size"):
        settings.append(f"{name}={getattr(RECIPE, name)}")
    for name, value in RECIPE.model_args.items():
        settings.append(f"model_args.{name}={value}")
    (tmp_path / "validated-1-1.json").write_text("[]")  # of an interrupted training
    for process in pair("training.train", "coco_finetune", *settings, "--run", str(tmp_path)):
        finish(process)
    history = json.loads((tmp_path / "log.json").read_text())
    assert all("test_mask_AP50" in row for row in history)
    final = headline(json.loads((tmp_path / "metrics.json").read_text()))
    assert {f"test_{k}": v for k, v in final.items()}.items() <= history[-1].items()
    assert not list(tmp_path.glob("validated-*"))


def test_shares_of_a_validation(finished, tmp_path, monkeypatch):
    """What two processes find is what one finds; one that does not come counts as lost."""
    monkeypatch.setattr(validation, "PATIENCE", 0)
    recipe, run, figures = finished
    recipe = dataclasses.replace(recipe, validate_every=2)
    shown = learned_from(read(recipe.data, "train", ""))
    model = zoo.load(run / "checkpoint")
    alone, first, second = (
        validation.Validation(recipe, tmp_path, shown, Engine(process=i, processes=n), timeout=0)
        for i, n in ((0, 1), (0, 2), (1, 2))
    )
    assert alone(model, 1) == {}  # not due
    assert alone(model, 2) == headline(figures)
    with pytest.raises(RuntimeError) as lost:
        first(model, 2)
    assert "process 1 is unavailable" in sign_of_a_lost_process(lost.value)
    with pytest.raises(RuntimeError):
        second(model, 2)
    found = json.loads((tmp_path / "validated-2-1.json").read_text())
    assert {entry["image_id"] for entry in found} == {101}  # the second of the three
    assert first(model, 2) == headline(figures)
    assert not list(tmp_path.iterdir())
    (tmp_path / "validated-2-1.json").write_text("[]")
    first.forget()
    second.forget()
    assert not list(tmp_path.iterdir())


def test_batches_are_functions_of_seed_and_step(folder):
    recipe = dataclasses.replace(RECIPE, data=str(folder))
    data = Batches(learned_from(read(recipe.data, "train", "")), recipe)
    assert len(data.photos) == 3  # neither the crowd nor the empty photo
    whole = [data.batch(step, 0)[0] for step in range(3)]  # two passes over three photos
    again = Batches(data.photos, recipe).batch(1, 0)[0]
    for key, value in whole[1].items():
        np.testing.assert_array_equal(value, again[key])
    # Every photo twice, told apart by its object's rows: mirroring leaves them.
    keys = [tuple(boxes[0, [1, 3]].tolist()) for batch in whole for boxes in batch["boxes"]]
    assert len(set(keys)) == 3
    assert all(keys.count(key) == 2 for key in keys)
    halves = [Batches(data.photos, recipe, Share(2, (i,), 2)).batch(1, i)[0] for i in (0, 1)]
    for key, value in whole[1].items():
        np.testing.assert_array_equal(value, np.concatenate([half[key] for half in halves]))
    assert len(learned_from(data.photos, 2)) == 2


def test_rate():
    recipe = dataclasses.replace(RECIPE, steps=100, drops=(0.5, 0.9), warmup_steps=10)
    schedule = rate(dataclasses.replace(recipe, learning_rate=1.0))
    found = [float(schedule(step)) for step in (0, 5, 10, 49, 50, 89, 90, 99)]
    expected = [0.001, 0.5005, 1, 1, 0.1, 0.1, 0.01, 0.01]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": ""}, "data=FOLDER"),
        ({"round": 3}, "steps must be a multiple of round"),
        ({"drops": (0.9, 0.5)}, "drops must rise"),
        ({"validation": "validation"}, "validation=train"),
        ({"weights": "a", "backbone_weights": "b"}, "exclude each other"),
        ({"size": (60, 64)}, "multiples of 64"),
    ],
)
def test_refused(folder, tmp_path, changes, words):
    recipe = dataclasses.replace(RECIPE, **{"data": str(folder), **changes})
    with pytest.raises((ZooError, FileNotFoundError), match=words):
        train(recipe, tmp_path, "")


def test_a_folder_without_an_object(tmp_path):
    photos.write(tmp_path / "bare", count=2)  # a crowd, and nothing
    recipe = dataclasses.replace(RECIPE, data=str(tmp_path / "bare"))
    with pytest.raises(ZooError, match="no photo to train on"):
        train(recipe, tmp_path / "run", "")


def test_headline():
    figures = {"box": {"AP": 0.123456, "AP50": 1.0, "AP75": 0.0, "AR1": 0.5}}
    assert headline(figures) == {"box_AP": 0.1235, "box_AP50": 1.0, "box_AP75": 0.0}


@pytest.mark.parametrize("name", recipes.names("detection"))
def test_recipes(name):
    recipe = recipes.find(name)
    changed = recipes.override(recipe, ["steps=8", "size=(128, 192)", "model_args.masks=False"])
    assert (changed.steps, changed.size) == (8, (128, 192))
    assert recipes.override(recipe, recipes.settings(name, changed)) == changed
    assert recipe.steps % recipe.round == 0
    assert max(recipe.size) % 64 == 0
    assert recipe.warmup_steps < recipe.steps * recipe.drops[0]
