"""Weights by path from one network to another: all of them, or none."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ZooError
from zoo.models.deferred import build_without_values
from zoo.models.transfer import compare_names, compare_shapes, copy_weights, paths_in

HEAD = ["head_dense"]


def net(classes: int = 3, seed: int = 0, units: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    options = {"input_shape": (2, 2, 1), "units": units, "num_classes": classes}
    return zoo.create("maxnorm_mlp3", **options)


def values(model: keras.Model) -> dict[str, np.ndarray]:
    return {v.path: v.numpy() for v in model.weights}


def test_all_weights():
    source, target = net(), net(seed=1)
    copy_weights(source, target)
    for path, value in values(source).items():
        np.testing.assert_array_equal(values(target)[path], value)


@pytest.mark.parametrize("deferred", [False, True])
def test_all_but_the_head(deferred):
    source = net()
    target = build_without_values(lambda: net(5, seed=1)) if deferred else net(5, seed=1)
    copy_weights(source, target, but=HEAD)
    body = values(target).keys() - paths_in(HEAD, values(target))
    for path in body:
        np.testing.assert_array_equal(values(target)[path], values(source)[path])
    assert len(body) == len(source.weights) - 2
    assert values(target)["head_dense/kernel"].shape == (4, 5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (lambda: net(5), r"mine does not fit maxnorm_mlp3: it has head_dense/kernel of shape"),
        (lambda: net(units=6), r"hidden1_dense/kernel of shape \(4, 4\), not \(4, 6\)"),
        (lambda: zoo.create("maxnorm_mlp5", input_shape=(2, 2, 1), units=4), "it lacks"),
    ],
)
def test_what_does_not_fit_changes_nothing(target, words):
    target = target()
    before = values(target)
    with pytest.raises(ZooError, match=words):
        copy_weights(net(seed=1), target, name="mine")
    for path, value in values(target).items():
        np.testing.assert_array_equal(value, before[path])


def test_words():
    assert compare_names(["a", "b"], ["b", "a"]) == []
    assert compare_names(list("abcdefg"), ["g"]) == ["has in addition a, b, c, d and 2 more"]
    assert compare_shapes({"a": (2,), "b": ()}, {"a": (3,), "c": ()}) == [
        "lacks c",
        "has in addition b",
        "has a of shape (2,), not (3,)",
    ]
