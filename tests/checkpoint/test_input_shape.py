"""Pretrained weights for pictures of another size, where they are not bound to theirs."""

import dataclasses

import numpy as np
import pytest

import zoo
from tests.support.checkpoints import edit_card, make_checkpoint
from zoo.checkpoint import load_checkpoint, plan
from zoo.errors import ZooError

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """(folder, model) of a convolutional net for 8x8 pixels."""
    folder = tmp_path_factory.mktemp("net")
    return folder, make_checkpoint(folder, "plainnet20")[0]


@pytest.mark.parametrize("shape", [(16, 16, 3), (12, 20, 3), np.array([16, 16, 3])])
def test_the_same_weights_at_another_size(net, shape):
    folder, model = net
    other = zoo.load(folder, input_shape=shape)
    height, width, _ = shape
    assert other.input_shape == (None, height, width, 3)
    assert other.zoo_new == ()
    for a, b in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), a.path)
    card, before = other.zoo_card, zoo.card(folder)
    assert card.preprocess == before.preprocess.of_size((height, width))
    assert (card.labels, card.metrics) == (before.labels, ())  # figures are of the other size
    photo = np.random.default_rng(0).integers(0, 256, (30, 50, 3), "uint8")
    assert zoo.preprocess(other, photo).shape == (1, height, width, 3)
    first, _ = zoo.predict(other, photo)[0]
    assert first == card.labels[np.argmax(other(zoo.preprocess(other, photo)))]


def test_any_size(net):
    folder, model = net
    anywhere = zoo.load(folder, input_shape=(None, None, 3))
    assert anywhere.zoo_card.preprocess == zoo.card(folder).preprocess
    assert anywhere.zoo_card.metrics == ()
    for side in (8, 16):
        x = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype("float32")
        other = model if side == 8 else zoo.load(folder, input_shape=(side, side, 3))
        np.testing.assert_allclose(anywhere(x), other(x), rtol=0, atol=1e-6)
    assert zoo.predict(anywhere, np.zeros((30, 50, 3), "uint8"))


def test_beside_other_arguments(net):
    folder = net[0]
    model = zoo.load(folder, input_shape=(16, 16, 3), num_classes=5, name="mine")
    assert model.zoo_new == ("head_dense/kernel", "head_dense/bias")
    assert (model.name, model.zoo_card.preprocess.size) == ("mine", (16, 16))
    body = zoo.load(folder, input_shape=(None, None, 3), features=True)
    assert body(np.zeros((1, 24, 16, 3), "float32"))["P0"].shape == (1, 24, 16, 4)


@pytest.mark.parametrize("shape", [(16, 16, 3), (None, None, 3)])
def test_a_folder_keeps_it(net, tmp_path, shape):
    model = zoo.load(net[0], input_shape=shape)
    card = zoo.save(model, tmp_path / "mine")
    assert card == model.zoo_card
    again = zoo.load(tmp_path / "mine")
    assert again.input_shape == (None, *shape)
    assert again.zoo_card.preprocess == model.zoo_card.preprocess


def test_the_shape_of_the_checkpoint_changes_nothing(net):
    assert zoo.load(net[0], input_shape=(8, 8, 3)).zoo_card == dataclasses.replace(
        zoo.card(net[0]), args=zoo.card(net[0]).args
    )


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((16, 16, 1), r"stem_conv/kernel would be of shape \(3, 3, 1, 4\), not \(3, 3, 3, 4\)"),
        ((2, 2, 3), "H and W at least 4"),
        ((16, 16), "H and W at least 4"),
        (16, "input_shape must be a tuple"),
        ((5000, 5000, 3), "integers from 1 to 4096"),
    ],
)
def test_shapes_that_do_not_fit(net, shape, words):
    with pytest.raises(ZooError, match=words):
        zoo.load(net[0], input_shape=shape)


@pytest.mark.parametrize("shape", [(2, 8, 1), (8, 8, 1), (16,)])
def test_dense_weights_are_bound_to_their_pixels(folder, shape, monkeypatch):
    """Also where there are as many; the reason comes before the weights are read."""
    monkeypatch.setattr("zoo.checkpoint.folder.read_weights", None)
    with pytest.raises(
        ZooError,
        match=r"maxnorm_mlp3\.toy is for input_shape=\(4, 4, 1\) alone: dense weights.*zoo\.create",
    ):
        load_checkpoint(folder, input_shape=shape)


def test_statistics_of_each_pixel_are_of_one_size(net, tmp_path):
    make_checkpoint(tmp_path / "net", "plainnet20")
    edit_card(tmp_path / "net", lambda c: c["preprocess"].update(mean=[0.5] * 192))
    with pytest.raises(ZooError, match=r"given for each pixel of \(8, 8\)"):
        zoo.load(tmp_path / "net", input_shape=(16, 16, 3))


def test_a_refusal_takes_the_card_alone(folder):
    card = zoo.card(folder)
    with pytest.raises(ZooError, match="is for input_shape"):
        plan.plan(card, "zoo.json", input_shape=(8, 8, 1))
