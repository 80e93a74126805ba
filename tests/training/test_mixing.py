"""Mixup, CutMix and soft labels, from the arrays to the training step."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.support import toy
from tests.support.helpers import array
from tests.training.test_pipeline import items
from training.data import Images
from training.data.mixing import mix
from training.data.pipeline import Batches, Share, evaluation, one_hot
from training.tasks.classification.model import losses
from zoo.errors import ZooError


def pair(n=64, side=16):
    """Black pictures of class 0 beside white partners of class 1."""
    x = np.zeros((n, side, side, 3), "uint8")
    return x, np.full_like(x, 255), np.zeros(n, int), np.ones(n, int)


@pytest.mark.once
def test_mixup_mixes_pixels_and_labels_in_one_share():
    rng = np.random.default_rng(0)
    shares = rng.random((64, 2))
    x, soft = mix(*pair(), 3, shares, rng.random((64, 3)), mixup=True, cutmix=False)
    np.testing.assert_allclose(soft[:, 1], 1 - shares[:, 0], atol=1e-6)
    np.testing.assert_array_equal(x[:, 3, 5, 0], np.rint(255 * soft[:, 1]))
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)


@pytest.mark.once
def test_cutmix_shares_are_the_areas():
    rng = np.random.default_rng(1)
    shares = rng.random((64, 2))
    x, soft = mix(*pair(), 3, shares, rng.random((64, 3)), mixup=False, cutmix=True)
    assert set(np.unique(x)) == {0, 255}
    np.testing.assert_allclose((x == 255).mean(axis=(1, 2, 3)), soft[:, 1], atol=1e-6)
    whole = rng.random((64, 3))
    whole[:, 1:] = 0.5  # in the middle nothing is clipped
    _, soft = mix(*pair(side=64), 3, shares, whole, mixup=False, cutmix=True)
    np.testing.assert_allclose(soft[:, 1], 1 - shares[:, 1], atol=2.1 / 64)


@pytest.mark.once
def test_with_both_each_picture_has_one():
    rng = np.random.default_rng(2)
    x, _ = mix(*pair(400), 2, rng.random((400, 2)), rng.random((400, 3)), mixup=True, cutmix=True)
    cut = [set(np.unique(picture)) <= {0, 255} for picture in x]
    assert 0.4 < np.mean(cut) < 0.6


@pytest.mark.once
def test_nothing_changes_its_arguments_and_equal_labels_stay_whole():
    x, partner, y, _ = pair(8)
    before = x.copy()
    ones = np.full((8, 3), 0.3)
    _, soft = mix(x, partner, y, y, 2, ones[:, :2], ones, mixup=True, cutmix=False)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(soft[:, 0], 1)


def coloured(n=24):
    x = np.random.default_rng(5).integers(0, 256, (n, 12, 12, 3), "uint8")
    return Images(x, np.arange(n) % 3, ("a", "b", "c"))


OPTIONS = {"mixup": 0.4, "cutmix": 1.0, "draws": 2}


@pytest.mark.once
@pytest.mark.parametrize("kind", ["memory", "tfdata"])
def test_parts_and_resumed_epochs_give_the_same_mixtures(kind):
    whole = items(Batches(coloured(), 8, 3, **OPTIONS).epoch(1, 0, kind))
    rest = items(Batches(coloured(), 8, 3, **OPTIONS).epoch(1, 1, kind))
    shares = [Share(2, (0,), 2), Share(2, (1,), 2)]
    parts = [items(Batches(coloured(), 8, 3, share=s, **OPTIONS).epoch(1, 0, kind)) for s in shares]
    for step, (inputs, y) in enumerate(whole):
        assert y.shape == (8, 3)
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
        halves = [part[step] for part in parts]
        np.testing.assert_array_equal(np.concatenate([h[1] for h in halves]), y)
        for key in inputs:
            joined = np.concatenate([h[0][key] for h in halves])
            np.testing.assert_array_equal(joined, inputs[key])
            if step:
                np.testing.assert_array_equal(rest[step - 1][0][key], inputs[key])


@pytest.mark.once
def test_sides_of_the_epochs():
    how = dataclasses.replace(toy.PROOF.preprocess, size=(12, 12))
    batches = Batches(coloured(), 8, 0, crops=how, sides=(6, 6, 10))
    sides = [items(batches.epoch(e, 0, "memory"))[0][0]["image"].shape[1] for e in range(4)]
    assert sides == [6, 6, 10, 10]


def recipe(**changes):
    return dataclasses.replace(toy.PROOF, **changes)


@pytest.mark.once
def test_recipe():
    assert recipe(resized_crop=True, sizes=(4, 8), epochs=5).sides == (4, 4, 4, 8, 8)
    for changes, message in (
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
        ({"sizes": (4, 8)}, "needs resized_crop"),
        ({"resized_crop": True, "sizes": (0,)}, "positive integers"),
    ):
        with pytest.raises(ZooError, match=message):
            recipe(**changes)
    with pytest.raises(ZooError, match="cutmix must be 0"):
        Batches(coloured(), 8, 0, cutmix=-1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_accuracy_of_soft_labels(smoothing):
    """The loss by its definition; evaluation with hard labels is that of the sparse loss."""
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(6, 3)).astype("float32")
    soft = rng.dirichlet(np.ones(3), 6).astype("float32")
    made = losses(recipe(label_smoothing=smoothing, mixup=0.2))
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    smooth = soft * (1 - smoothing) + smoothing / 3
    loss = array(made["loss"](soft, logits))
    np.testing.assert_allclose(loss, -(smooth * log_p).sum(axis=1).mean(), rtol=1e-5)
    accuracy, entropy = made["weighted_metrics"]
    y = np.array([0, 1, 2, 0, 1, 2])
    accuracy.update_state(one_hot(y, 3), logits)
    entropy.update_state(one_hot(y, 3), logits)
    assert float(accuracy.result()) == pytest.approx((logits.argmax(axis=1) == y).mean())
    assert float(entropy.result()) == pytest.approx(-log_p[np.arange(6), y].mean(), rel=1e-5)
    hard = losses(recipe())["loss"]
    assert isinstance(hard, keras.losses.SparseCategoricalCrossentropy)


@pytest.mark.once
def test_evaluation_with_soft_labels_counts_no_filling():
    how = dataclasses.replace(toy.PROOF.preprocess, size=(12, 12))
    batches, steps = evaluation(coloured(10), how, 0, Share(), 8, "memory", soft=True)
    (_, first, _), (_, second, weights) = items(batches)
    assert steps == 2
    assert weights.sum() == 2
    np.testing.assert_array_equal(first.argmax(axis=1), coloured(10).y[:8])
    assert second.shape == (8, 3)
