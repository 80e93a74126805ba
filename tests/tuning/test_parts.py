"""Batches, the linear probe, figures, the confusion picture."""

import numpy as np
import pytest

from zoo.preprocessing import Preprocess
from zoo.tuning import figures
from zoo.tuning.batches import Batches, augment
from zoo.tuning.drawing import draw_confusion
from zoo.tuning.linear_probe import fit_softmax

pytestmark = pytest.mark.once

PLAIN = Preprocess((16, 16), 1, 16, "bilinear", 1.0, (0.0,), (1.0,))


def batches(count=7, size=3, **changes):
    x = np.arange(count * 256).reshape(count, 16, 16, 1).astype("uint8")
    fields = {"x": x, "rows": np.arange(count), "y": np.arange(count) % 2, "size": size}
    return Batches(**{**fields, "settings": PLAIN, "seed": 0, "flip": True, **changes})


def test_an_epoch_shows_every_picture():
    ours = batches()
    assert ours.steps == 3
    order = ours.order(0)
    assert sorted(order[:7]) == list(range(7))
    assert order[7:].tolist() == order[:2].tolist()  # filled up to whole batches
    assert ours.order(1).tolist() != order.tolist()


def test_batches_depend_on_seed_epoch_and_step_alone():
    images, labels = batches().epoch(2)[1]
    again, same = batches().epoch(2)[1]
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    assert (images != batches(seed=1).epoch(2)[1][0]).any()
    assert images.dtype == "float32"


def test_shift_and_mirror():
    x = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), "uint8")
    middle = np.array([[0.5, 0.5, 0.9]])
    np.testing.assert_array_equal(augment(x, np.array([1]), middle, True)[0], x[1])
    mirrored = augment(x, np.array([1]), np.array([[0.5, 0.5, 0.1]]), True)[0]
    np.testing.assert_array_equal(mirrored, x[1, :, ::-1])
    down = augment(x, np.array([0]), np.array([[0.99, 0.5, 0.1]]), False)[0]
    padded = np.pad(x[0], [(2, 2), (3, 3), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(down, padded[4:20, 3:27])


def test_probe_is_the_optimum():
    """At the minimum the gradient of the penalized loss is zero."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 10)) + 0.7 * np.eye(3, 10)[y]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    kernel, bias = fit_softmax(x, y, 3, strength=0.3, steps=2000)
    error = (figures.softmax(x @ kernel + bias) - np.eye(3)[y]) / len(y)
    np.testing.assert_allclose(x.T @ error + 0.3 * 10 / 60 * kernel, 0, atol=3e-5)
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=3e-5)


def test_probe_does_not_depend_on_units_of_the_features():
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    x = rng.normal(size=(40, 5)) + y[:, None]
    units = np.array([0.3, 1.0, 10.0, 0.5, 5.0])

    def probabilities(features):
        kernel, bias = fit_softmax(features, y, 2)
        return figures.softmax(features @ kernel + bias)

    one, other = probabilities(x), probabilities(x * units + 3)
    np.testing.assert_allclose(one, other, atol=0.02)


def test_probe_of_dead_features():
    kernel, bias = fit_softmax(np.zeros((4, 3)), np.array([0, 0, 0, 1]), 2)
    probabilities = figures.softmax(np.zeros((1, 3)) @ kernel + bias)
    np.testing.assert_allclose(probabilities, [[0.75, 0.25]], atol=1e-3)


def test_confusion():
    y = np.array([0, 0, 1, 2, 2, 2])
    predicted = np.array([0, 2, 1, 0, 0, 2])
    matrix = figures.confusion(predicted, y, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [2, 0, 1]]
    assert figures.most_confused(matrix, "abc") == (("c", "a", 2), ("a", "c", 1))
    assert figures.most_confused(np.eye(3, dtype=int), "abc") == ()


@pytest.mark.parametrize("count", [2, 30, 200])
def test_confusion_picture(count):
    """Right answers are blue on the diagonal, whatever the number of classes."""
    picture = draw_confusion(np.eye(count, dtype=int), [f"class {i} ü" for i in range(count)])
    pixels = np.asarray(picture)
    blue = (pixels == (33, 90, 170)).all(axis=-1)
    red = (pixels == (190, 40, 40)).all(axis=-1)
    assert blue.sum() > 5 * count
    assert not red.any()
    assert max(picture.size) < 1500
