"""Batches: order, parts, resume, evaluation."""

import numpy as np
import pytest

from tests.support import toy
from training.data import Images
from training.data.pipeline import Batches, Share, evaluation, feed

KINDS = ["memory", "tfdata"]


def numbered(n=50):
    x = np.arange(n).reshape(n, 1, 1, 1)
    return Images(x.astype("uint8"), np.arange(n), ("a",))


def items(dataset) -> list:
    if hasattr(dataset, "item"):
        return [dataset[i] for i in range(len(dataset))]
    return list(dataset.as_numpy_iterator())


def labels(dataset) -> np.ndarray:
    return np.concatenate([item[1] for item in items(dataset)])


@pytest.mark.parametrize("kind", KINDS)
def test_order_depends_on_seed_and_epoch_alone(kind):
    first, second = (labels(Batches(numbered(), 8, 3).epoch(e, 0, kind)) for e in (0, 1))
    for epoch in (first, second):
        assert len(np.unique(epoch)) == 48  # no image twice; the partial batch is left out
    assert (first != second).any()
    assert first.tolist() != sorted(first)
    np.testing.assert_array_equal(labels(Batches(numbered(), 8, 3).epoch(0, 0, "memory")), first)
    assert (labels(Batches(numbered(), 8, 4).epoch(0, 0, kind)) != first).any()


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_goes_on_from_any_step(kind):
    batches = Batches(numbered(), 8, 3, draws=2)
    whole, rest = (items(batches.epoch(5, first, kind)) for first in (0, 4))
    assert (len(whole), len(rest)) == (6, 2)
    for a, b in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a[0]["image"], b[0]["image"])
        np.testing.assert_array_equal(a[0]["draws"], b[0]["draws"])


@pytest.mark.parametrize("kind", KINDS)
def test_parts_make_up_the_batch(kind):
    """Two processes of two devices see together what one process sees, draws included."""
    whole = items(Batches(numbered(), 8, 3, draws=2).epoch(1, 0, kind))
    shares = [Share(4, (0, 1), 4), Share(4, (2, 3), 4)]
    parts = [items(Batches(numbered(), 8, 3, 2, None, s).epoch(1, 0, kind)) for s in shares]
    assert [len(p) for p in parts] == [12, 12]
    for step, (inputs, y) in enumerate(whole):
        mine = [p[2 * step + turn] for p in parts for turn in (0, 1)]
        np.testing.assert_array_equal(np.concatenate([m[1] for m in mine]), y)
        for key in inputs:
            np.testing.assert_array_equal(np.concatenate([m[0][key] for m in mine]), inputs[key])


def test_images_stay_with_their_labels_and_draws_are_uniform():
    inputs, y = items(Batches(numbered(), 48, 0, draws=3).epoch(0, 0, "memory"))[0]
    np.testing.assert_array_equal(inputs["image"].ravel(), y)
    assert inputs["draws"].shape == (48, 3)
    assert inputs["draws"].dtype == "float32"
    assert inputs["draws"].min() >= 0
    assert inputs["draws"].max() < 1
    assert abs(inputs["draws"].mean() - 0.5) < 0.1


def test_without_draws_there_are_none():
    assert set(Batches(numbered(), 8, 0).epoch(0, 0, "memory")[0][0]) == {"image"}


@pytest.mark.parametrize("kind", KINDS)
def test_memory_mapped_sets(tmp_path, kind):
    np.save(tmp_path / "x.npy", numbered().x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    images = Images(mapped, numbered().y, ("a",))
    for inputs, y in items(Batches(images, 8, 0).epoch(0, 0, kind)):
        np.testing.assert_array_equal(inputs["image"].ravel(), y)


@pytest.mark.parametrize("share", [Share(), Share(2, (1,), 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_fills_the_last_batch_with_images_that_weigh_nothing(kind, share):
    images = numbered(21)
    dataset, steps = evaluation(images, toy.RECIPE.preprocess, 2, share, 7, kind)
    assert steps == 3
    x, y, weights = zip(*items(dataset), strict=True)
    y, weights = np.concatenate(y), np.concatenate(weights)
    if share.parts == 1:
        np.testing.assert_array_equal(y[weights == 1], np.arange(21))
        assert len(y) == 21
    else:  # batches of 8 in two parts of 4; this process has the second
        assert y[weights == 1].tolist() == [4, 5, 6, 7, 12, 13, 14, 15, 20]
        assert weights.tolist() == [1] * 9 + [0] * 3
    assert all(part["draws"].shape == (len(part["image"]), 2) for part in x)


class Larger:
    """Pictures of many sizes, larger than the model takes."""

    DRAWS = 2

    def __getitem__(self, i):
        return np.full((8 + i % 3, 12, 1), i, "uint8")

    def __len__(self):
        return 20

    def resized_crops(self, index, draws, size):
        assert draws.shape == (len(index), 2)
        return np.stack([np.full((*size, 1), i, "uint8") for i in index])


@pytest.mark.once
def test_no_tuner_delays_the_end_of_an_epoch():
    dataset = feed(lambda i: (np.zeros(1), np.zeros(1)), 3, "tfdata")
    assert dataset.options().autotune.enabled is False


def test_pictures_are_cut_in_training_and_centred_in_evaluation():
    images = Images(Larger(), np.arange(20), ("a",))
    how = toy.RECIPE.preprocess
    for inputs, y in items(Batches(images, 8, 0, 1, how).epoch(0, 0, "memory")):
        assert inputs["image"].shape == (8, 6, 6, 1)
        assert inputs["draws"].shape == (8, 1)
        np.testing.assert_array_equal(inputs["image"][:, 3, 3, 0], y)
    dataset, _ = evaluation(images, how, 0, Share(), 8, "memory")
    inputs, y, _ = dataset[1]
    assert (inputs["image"].shape, inputs["image"].dtype) == ((8, 6, 6, 1), "uint8")
    np.testing.assert_array_equal(inputs["image"][:, 3, 3, 0], y)


def test_bad_pipelines():
    with pytest.raises(ValueError, match="more than the 50 training images"):
        Batches(numbered(), 51, 0)
    with pytest.raises(ValueError, match="cannot be cut into 3 equal parts"):
        Batches(numbered(), 8, 0, share=Share(3, (0,), 3))
    with pytest.raises(ValueError, match="pipeline must be"):
        feed(lambda i: None, 3, "stream")
