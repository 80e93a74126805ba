"""The transfer program: what it measures, on what, and that it does not measure twice."""

import csv

import numpy as np
import pytest

from tests.training.test_class_folders import write
from training.transfer import linear, page, tuning
from training.transfer.__main__ import main

pytestmark = pytest.mark.once


def two_clouds(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, 4)) + 6 * np.eye(2, 4)[y], y


def test_both_classifiers_tell_two_clouds_apart():
    (train, y), (test, right) = two_clouds(60, 0), two_clouds(40, 1)
    for classify in (linear.linear_probe, linear.nearest_neighbours):
        assert (classify(train, y, test) == right).mean() > 0.95
    one_each = np.array([np.flatnonzero(y == 0)[0], np.flatnonzero(y == 1)[0]])
    assert (linear.linear_probe(train[one_each], y[one_each], test) == right).mean() > 0.5


def test_neighbours_vote_by_similarity():
    # Two that point elsewhere are outvoted by one in the same direction: exp(-1 / 0.07) is small.
    train = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    votes = linear.nearest_neighbours(train, np.array([0, 1, 1]), np.array([[5.0, 0.1]]))
    assert votes.tolist() == [0]


def test_known_classes_are_found_by_name_and_by_number(monkeypatch):
    class Card:
        labels, label_ids = ("Tabby cat", "red fox"), ("n01", "n02")

    monkeypatch.setattr(tuning.zoo, "card", lambda name: Card)
    labels = ("n02", "n03", "tabby cat")
    assert tuning.same_classes(labels, ["any"]) == ("n02", "tabby cat")


def test_the_program_measures_all_methods_once(tmp_path, capsys):
    write(tmp_path / "photos", {"ant": 10, "bee": 10})
    command = ["resnet20.cifar10", "--to", "photos", "--data-dir", str(tmp_path)]
    command += ["--fractions", "1.0", "--images", "16"]
    command += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert main(command) == 0
    table = tmp_path / "results" / "transfer.csv"
    rows = list(csv.DictReader(table.open()))
    assert [row["method"] for row in rows] == sorted(page.METHODS)
    for row in rows:
        assert (row["train_images"], row["test_images"], row["classes"]) == ("16", "4", "2")
        assert 0 <= float(row["top1"]) <= 1
    text = (tmp_path / "results" / "transfer.md").read_text()
    for row in rows:
        assert f"| {row['method']} | {100 * float(row['top1']):.1f} |" in text
    before = table.read_bytes()
    capsys.readouterr()
    assert main(command) == 0
    assert table.read_bytes() == before
    assert "features of" not in capsys.readouterr().out


def test_what_cannot_be_transferred(tmp_path, capsys):
    write(tmp_path / "known", {"cat": 2, "dog": 2})
    command = ["--data-dir", str(tmp_path), "--results", str(tmp_path / "results")]
    assert main(["resnet20.cifar10", "--to", "known", *command]) == 1
    assert "its classes are those that resnet20.cifar10 has learned" in capsys.readouterr().err
    assert main(["resnet20.cifar10", "--to", "none_such", *command]) == 1
    assert "none_such" in capsys.readouterr().err
    assert main(["resnet20.cifar10", "--to", "cifar10", *command]) == 0
    assert "was trained on cifar10: left out" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
