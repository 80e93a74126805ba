"""Loading for another task: feature pyramids, frozen parts."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import make_checkpoint
from tests.support.helpers import array
from zoo.errors import ZooError

X = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")


@pytest.fixture
def plain(tmp_path):
    model, _ = make_checkpoint(tmp_path / "plainnet20.toy", "plainnet20")
    return tmp_path / "plainnet20.toy", model


def test_features_are_those_of_the_model(plain):
    folder, model = plain
    body = zoo.load(folder, features=True)
    maps = body(X)
    assert {level: tuple(x.shape) for level, x in maps.items()} == {
        "P0": (8, 8, 8, 4),
        "P1": (8, 4, 4, 8),
        "P2": (8, 2, 2, 16),
    }
    stages = keras.Model(
        model.input, [model.get_layer(f"stage{s}_6_act").output for s in (1, 2, 3)]
    )
    for level, expected in zip(maps, stages(X), strict=True):
        np.testing.assert_allclose(array(maps[level]), array(expected), atol=1e-5)
    assert not any(layer.name.startswith("head") for layer in body.layers)
    assert body.zoo_card.labels == ()
    assert zoo.preprocess(body, np.zeros((20, 30, 3), "uint8")).shape == (1, 8, 8, 3)


def test_features_need_a_family_that_has_them(tmp_path):
    make_checkpoint(tmp_path / "maxnorm_mlp3.toy")
    with pytest.raises(ZooError, match="Unknown argument of maxnorm_mlp3: 'features'"):
        zoo.load(tmp_path / "maxnorm_mlp3.toy", features=True)


def test_features_or_classes(plain):
    with pytest.raises(ZooError, match="exclude each other"):
        zoo.load(plain[0], features=True, num_classes=3)


@pytest.mark.parametrize("freeze", ["body", "batch_norm"])
def test_frozen_parts_keep_every_bit(plain, freeze):
    folder, _ = plain
    model = zoo.load(folder, num_classes=5, freeze=freeze)
    before = {v.path: array(v) for v in model.weights}
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(X, np.arange(8) % 5, batch_size=8, verbose=0)
    changed = {v.path for v in model.weights if (array(v) != before[v.path]).any()}
    if freeze == "body":
        assert changed == {"head_dense/kernel", "head_dense/bias"}
    else:
        assert changed == {path for path in before if "_norm/" not in path}


def test_unknown_freeze_is_told_before_anything_is_read(tmp_path):
    with pytest.raises(ZooError, match="freeze must be one of"):
        zoo.load(tmp_path, freeze="bn")
