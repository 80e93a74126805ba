"""`name=`: two nets of one architecture are parts of one model; what a checkpoint is keyed by does
not depend on it."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import PLAIN, make_card, make_checkpoint
from tests.support.helpers import run_python
from zoo.errors import ZooError
from zoo.formats.keras_form import to_keras_layers
from zoo.models.transfer import copy_weights

FRESH = """
import sys
import keras, numpy as np
import zoo
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def random_weights(model: keras.Model, seed: int) -> keras.Model:
    rng = np.random.default_rng(seed)
    for v in model.weights:
        value = rng.normal(0, 0.5, tuple(v.shape))
        v.assign(np.abs(value) + 0.5 if v.path.endswith("moving_variance") else value)
    return model


@pytest.fixture
def composite(tmp_path):
    """Two nets of one architecture, one of them pretrained, side by side."""
    make_checkpoint(tmp_path / "net", "plainnet20")
    left = zoo.load(tmp_path / "net", name="left")
    right = random_weights(zoo.create("plainnet20", name="right", **PLAIN), 1)
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, keras.layers.Concatenate(name="both")([left(image), right(image)]))


def pictures() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")


def test_paths_do_not_depend_on_the_name(tmp_path):
    for architecture, options in {
        "plainnet20": PLAIN,
        "mask_rcnn_plainnet20": {
            "input_shape": (64, 64, 3),
            "fpn_filters": 4,
            "head_units": 4,
            "width": 2,
        },
    }.items():
        model, named = (zoo.create(architecture, **options, **n) for n in ({}, {"name": "mine"}))
        assert (model.name, named.name) == (architecture, "mine")
        assert [v.path for v in model.weights] == [v.path for v in named.weights]


def test_a_model_of_two(composite, tmp_path):
    """Trains, and comes back in a fresh process with each part's own weights."""
    x = pictures()
    composite.compile(zoo.optimizers.SGD(0.01, momentum=0.9), "mse")
    composite.fit(x, np.zeros((6, 6), "float32"), verbose=0)
    expected = composite.predict(x, verbose=0)
    assert np.abs(expected[:, :3] - expected[:, 3:]).max() > 0.01
    composite.save(tmp_path / "both.keras")
    np.save(tmp_path / "x.npy", x)
    files = [str(tmp_path / name) for name in ("both.keras", "x.npy", "y.npy")]
    result = run_python(FRESH, *files)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=0, atol=1e-6)

    left, right = composite.get_layer("left"), composite.get_layer("right")
    about = {"preprocess": make_card("plainnet20").preprocess, "labels": ["a", "b", "c"]}
    for part, fields in ((left, {}), (right, about)):
        card = zoo.save(part, tmp_path / part.name, **fields)
        assert card.name == f"plainnet20.{part.name}"
        again = zoo.load(tmp_path / part.name).predict(x, verbose=0)
        np.testing.assert_allclose(again, part.predict(x, verbose=0), rtol=0, atol=1e-6)


@pytest.mark.once
def test_what_goes_by_paths_refuses_two_of_one(composite):
    with pytest.raises(ZooError, match=r"two variables called stem_conv/kernel.*one by one"):
        copy_weights(composite, keras.models.clone_model(composite))
    with pytest.raises(ZooError, match=r"left, stem_conv: there are no layers of Keras for"):
        to_keras_layers(composite)


@pytest.mark.once
@pytest.mark.parametrize("name", ["a/b", "", 3])
def test_names_that_keras_does_not_take(name):
    with pytest.raises(ZooError, match="name must be a text without '/'"):
        zoo.create("plainnet20", name=name, **PLAIN)
    with pytest.raises(ZooError, match="name must be a text without '/'"):
        zoo.load("resnet20", name=name)
