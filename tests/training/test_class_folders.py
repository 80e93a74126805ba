"""Folders of classes as data sets, and parts of data sets."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.support import toy
from training import data as datasets
from training.data import Images, Pictures
from training.data.subset import fraction_of, without_classes
from zoo.errors import MissingFileError, UnknownNameError, ZooError

pytestmark = pytest.mark.once


def write(folder, counts, seed=0):
    """Folders of classes with so many random pictures."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), "uint8")
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def contents(images):
    return {images.x[i].tobytes() for i in range(len(images.y))}


def test_a_folder_is_cut_at_random_and_always_the_same_way(tmp_path):
    write(tmp_path / "photos", {"ant": 10, "bee": 5})
    train, test = (datasets.read("photos", split, tmp_path) for split in ("train", "test"))
    assert train.labels == test.labels == ("ant", "bee")
    assert np.bincount(train.y).tolist() == [8, 4]
    assert np.bincount(test.y).tolist() == [2, 1]
    assert not contents(train) & contents(test)
    again = datasets.read("photos", "test", tmp_path)
    assert contents(again) == contents(test)


def test_no_picture_is_in_both_splits(tmp_path):
    write(tmp_path / "photos", {"ant": 4, "bee": 4})
    copy = tmp_path / "photos" / "ant" / "copy.png"
    copy.write_bytes((tmp_path / "photos" / "ant" / "0.png").read_bytes())
    train, test = (datasets.read("photos", split, tmp_path) for split in ("train", "test"))
    assert len(train.y) + len(test.y) == 8
    assert not contents(train) & contents(test)

    write(tmp_path / "cut" / "train", {"ant": 3, "bee": 3}, seed=1)
    write(tmp_path / "cut" / "val", {"ant": 2, "bee": 2}, seed=2)
    first = tmp_path / "cut" / "train" / "bee" / "0.png"
    (tmp_path / "cut" / "val" / "bee" / "9.png").write_bytes(first.read_bytes())
    train, test = (datasets.read("cut", split, tmp_path) for split in ("train", "test"))
    assert (len(train.y), len(test.y)) == (5, 5)
    assert not contents(train) & contents(test)


def test_folders_that_are_no_data_set(tmp_path):
    write(tmp_path / "half" / "train", {"ant": 1, "bee": 1})
    with pytest.raises(MissingFileError, match="none of"):
        datasets.read("half", "test", tmp_path)
    write(tmp_path / "half" / "test", {"ant": 1, "cat": 1})
    with pytest.raises(ZooError, match="one split alone: bee, cat"):
        datasets.read("half", "train", tmp_path)
    write(tmp_path / "one", {"ant": 2})
    with pytest.raises(ZooError, match="at least two folders"):
        datasets.read("one", "train", tmp_path)
    with pytest.raises(UnknownNameError, match="none_such"):
        datasets.read("none_such", "train", tmp_path)


def test_classes_that_are_left_out():
    whole = toy.images()
    rest = without_classes(whole, whole.labels[:1])
    assert rest.labels == whole.labels[1:]
    kept = whole.y > 0
    np.testing.assert_array_equal(rest.y, whole.y[kept] - 1)
    np.testing.assert_array_equal(rest.x, whole.x[kept])
    with pytest.raises(UnknownNameError, match="aardvark"):
        without_classes(whole, ("aardvark",))
    with pytest.raises(ZooError, match="Two classes must be left"):
        without_classes(whole, whole.labels[1:])


def test_a_fraction_is_the_same_part_of_each_class_and_nested():
    y = np.repeat([0, 1, 2], [100, 50, 3])
    whole = Images(np.arange(153), y, ("a", "b", "c"))
    tenth, fifth = fraction_of(whole, 0.1, seed=3), fraction_of(whole, 0.2, seed=3)
    assert np.bincount(tenth.y).tolist() == [10, 5, 1]
    assert set(tenth.x) < set(fifth.x)
    np.testing.assert_array_equal(tenth.x, fraction_of(whole, 0.1, seed=3).x)
    assert set(tenth.x) != set(fraction_of(whole, 0.1, seed=4).x)
    np.testing.assert_array_equal(fraction_of(whole, 1.0, seed=0).x, whole.x)


def test_pictures_that_are_taken_are_decoded_when_asked_for():
    files = [bytes([i]) for i in range(5)]
    some = Images(Pictures(files), np.arange(5), ()).take(np.array([3, 1]))
    assert list(some.x.encoded) == [files[3], files[1]]
    assert some.y.tolist() == [3, 1]


def test_a_fraction_must_be_one():
    with pytest.raises(ZooError, match="fraction must be above 0"):
        dataclasses.replace(toy.RECIPE, fraction=0.0)
    with pytest.raises(ZooError, match="tag must be"):
        dataclasses.replace(toy.RECIPE, tag="My net")
