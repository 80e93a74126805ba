"""What a run folder holds, when it begins, and what it refuses."""

import dataclasses
import json

import pytest

from tests.support import toy
from training import run_folder, train
from training.data import Images
from training.engines import Engine
from training.tasks.classification.recipe import ClassificationRecipe
from zoo.errors import ZooError

pytestmark = pytest.mark.once

DATA = {
    "labels": ["top", "left", "neither"],
    "train": 90,
    "test": 33,
    "digests": {"train": "0a", "test": "0b"},
}


def about(**settings) -> dict:
    recipe = dataclasses.replace(toy.RECIPE, **settings)
    return run_folder.describe(recipe, "toy", Engine())


def check(run, **settings) -> None:
    run_folder.check(run, about(**settings), ClassificationRecipe)


def test_a_run_that_is_older_than_a_setting_goes_on(tmp_path):
    run_folder.begin(tmp_path, about(), DATA)
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["data"] == DATA
    del stored["recipe"]["signals_every"], stored["data"], stored["task"]
    (tmp_path / "run.json").write_text(json.dumps(stored))
    check(tmp_path)
    run_folder.begin(tmp_path, about(), DATA)
    with pytest.raises(ZooError, match=r"other settings \(signals_every\)"):
        check(tmp_path, signals_every=3)
    stored["data"] = {key: value for key, value in DATA.items() if key != "digests"}
    (tmp_path / "run.json").write_text(json.dumps(stored))
    run_folder.begin(tmp_path, about(), DATA)


def test_checking_writes_nothing(tmp_path):
    check(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": 89}, "90 train examples then, 89 now"),
        ({"test": 34}, "33 test examples then, 34 now"),
        ({"labels": ["left", "top", "neither"]}, "the classes are in another order"),
        ({"digests": {"train": "0c", "test": "0b"}}, "the train examples are others than then"),
        ({"labels": ["top", "left"]}, "3 classes then, 2 now, which differ in neither"),
    ],
)
def test_other_data_are_refused(tmp_path, change, words):
    run_folder.begin(tmp_path, about(), DATA)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(ZooError, match=words):
        run_folder.begin(tmp_path, about(), DATA | change)
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_training_does_not_go_on_with_other_data(tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))
    recipe = dataclasses.replace(toy.RECIPE, epochs=1, warmup_epochs=0, recalibrate=0)
    train.train(recipe, tmp_path, "")

    def fewer(name, split, *_, **__):
        images = toy.images(split)
        return Images(images.x[:-1], images.y[:-1], images.labels)

    monkeypatch.setattr("training.data.read", fewer)
    with pytest.raises(ZooError, match="90 train examples then, 89 now; 33 test examples"):
        train.train(recipe, tmp_path, "")

    def one_pixel(name, split, *_, **__):
        images = toy.images(split)
        x = images.x.copy()
        x[0, 0, 0] += split == "test"
        return Images(x, images.y, images.labels)

    monkeypatch.setattr("training.data.read", one_pixel)
    with pytest.raises(ZooError, match="other data: the test examples are others than then"):
        train.train(recipe, tmp_path, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["maxnorm_mlp100_usps", "--data-dir", "nowhere"],
        ["maxnorm_mlp100_usps", "data=upsp"],
        ["maxnorm_mlp100_usps", "accumulate=3"],
        ["coco_finetune", "data=nowhere"],
        ["coco_finetune", "round=3"],
    ],
)
def test_nothing_is_left_behind_by_what_cannot_begin(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert train.main(arguments) == 1
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))
    recipe = dataclasses.replace(toy.RECIPE, weights="maxnorm_mlp100.usps")
    with pytest.raises(ZooError, match="must be of maxnorm_mlp3"):
        train.train(recipe, tmp_path / "run", "")
    assert list(tmp_path.iterdir()) == []
