"""Networks in plain Keras: equal, and readable where there is no zoo."""

import json

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import make_card, make_model
from tests.support.families import images, small
from tests.support.helpers import array, run_python
from zoo.errors import ZooError
from zoo.formats.export import export_preset, save_keras_files
from zoo.formats.keras_form import to_keras_layers

pytestmark = pytest.mark.once

FILES = ["config.json", "metadata.json", "model.weights.h5"]
# Between them, every layer of the zoo's networks and every way that it is built.
CASES = [
    ("plainnet20", {"width": 4, "modulation": True, "nonlinearity": "prelu"}, (9, 8, 3)),
    ("plainnet20", {"width": 4, "norm": "normprop", "nonlinearity": "crelu"}, (8, 8, 3)),
    ("maxnorm_mlp3", {"units": 16}, (5, 4, 1)),
    ("seqnet18", {"stem": "imagenet", "width": 4, "init": "L", "inner_bias": True}, (33, 40, 3)),
    ("skip_seqnet50", {"stem": "cifar", "width": 2, "inner_norm": True, "position": 2}, (9, 8, 3)),
    ("seqnet50", {"stem": "cifar", "width": 2, "tie_conv4": True, "position": 3}, (9, 8, 3)),
    ("resnet20_lastbn", {"width": 4, "shortcut": "projection3x3"}, (9, 8, 3)),
    ("preresnet20", {"width": 4}, (9, 8, 3)),
    ("crelu_resnet20", {"width": 4}, (8, 8, 3)),
    ("normprop_resnet20", {"width": 4, "norm": "normprop3"}, (8, 8, 3)),
    ("resnet50", {"width": 2, "stem": "imagenet"}, (33, 32, 3)),
    ("residual_mlp20", {"units": 20, "nonlinearity": "selu"}, (5, 4, 1)),
]
IDS = [f"{name}_{i}" for i, (name, _, _) in enumerate(CASES)]


def randomized(model):
    rng = np.random.default_rng(1)
    for v in model.weights:
        value = rng.normal(0, 0.3, tuple(v.shape))
        v.assign(np.abs(value) + 0.5 if v.path.endswith("moving_variance") else value)
    return model


def outputs(model, x):
    # JAX compiles every operation, so better all at once; elsewhere tracing takes longer.
    if keras.backend.backend() == "jax":
        return model.predict(x, verbose=0)
    return array(model(x, training=False))


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=IDS)
def test_outputs_are_equal(name, options, shape):
    model = randomized(small(name, options, shape, activation=None))
    plain = to_keras_layers(model)
    assert {type(layer).__module__.partition(".")[0] for layer in plain._flatten_layers()} <= {
        "keras"
    }
    x = images(shape, n=2)
    expected = outputs(model, x)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(outputs(plain, x), expected, atol=1e-5 * np.abs(expected).max())
    assert plain.losses == []
    assert plain.name == model.name


def test_the_plain_model_has_weights_of_its_own():
    model = make_model(make_card())
    plain = to_keras_layers(model)
    x = images((4, 4, 1), n=2)
    before = array(plain(x))
    for v in model.weights:
        v.assign(np.zeros(tuple(v.shape)))
    np.testing.assert_array_equal(array(plain(x)), before)


def test_float32_under_any_policy():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plain = to_keras_layers(make_model(make_card("plainnet20")))
    finally:
        keras.config.set_dtype_policy(policy)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}


def test_a_layer_of_a_stranger():
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((3,))
    with pytest.raises(ZooError, match="mine: there are no layers of Keras for a Mine"):
        to_keras_layers(keras.Model(inputs, Mine(name="mine")(inputs)))


def test_too_deep():
    class Many(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [keras.layers.Identity() for _ in range(2001)]

        def call(self, x):
            return x

    inputs = keras.Input((3,))
    with pytest.raises(ZooError, match="deep_net is too deep"):
        to_keras_layers(keras.Model(inputs, Many()(inputs), name="deep_net"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Architecture -> (folder, model)."""
    made = {}
    for name in ("maxnorm_mlp3", "plainnet20"):
        made[name] = tmp_path_factory.mktemp(name), make_model(make_card(name))
        save_keras_files(made[name][1], made[name][0])
    return made


def test_files(saved, tmp_path):
    folder, model = saved["maxnorm_mlp3"]
    config = (folder / "config.json").read_text()
    assert "architecture" not in json.loads(config)  # keras-hub would take it for timm's
    assert "zoo" not in config
    save_keras_files(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_keras_reads_them_where_there_is_no_zoo(saved, tmp_path):
    for name, (folder, model) in saved.items():
        (folder / "zoo.json").write_text("{}")  # the folder has more files than Keras's own
        (folder / "README.md").write_text("")
        np.save(tmp_path / f"{name}.npy", images(model.input_shape[1:], n=4))
    code = """
import sys
sys.modules["zoo"] = None
import keras, numpy as np
for folder, data in zip(sys.argv[1::2], sys.argv[2::2]):
    model = keras.saving.load_model(folder)
    assert not model.compiled
    np.save(data, model.predict(np.load(data), verbose=0))
"""
    places = [(str(saved[name][0]), str(tmp_path / f"{name}.npy")) for name in saved]
    result = run_python(code, *sum(places, ()))
    assert result.returncode == 0, result.stderr
    for name, (_, model) in saved.items():
        expected = array(model(images(model.input_shape[1:], n=4)))
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="keras-hub brings TensorFlow: tested with it"
)
def test_preset_of_keras_hub(tmp_path):
    pytest.importorskip("keras_hub", reason="keras-hub is an extra")
    models = {name: make_model(make_card(name)) for name in ("plainnet20", "maxnorm_mlp3")}
    for name, model in models.items():
        export_preset(model, tmp_path / name)
        np.save(tmp_path / f"{name}.npy", images(model.input_shape[1:], n=4))
    code = """
import sys
sys.modules["zoo"] = None
import keras_hub, numpy as np
folder = sys.argv[1]
for name in ("plainnet20", "maxnorm_mlp3"):
    model = keras_hub.models.ImageClassifier.from_preset(f"{folder}/{name}")
    np.save(f"{folder}/{name}.npy", model.predict(np.load(f"{folder}/{name}.npy"), verbose=0))
    new = keras_hub.models.ImageClassifier.from_preset(f"{folder}/{name}", num_classes=7)
    assert new.output_shape == (None, 7)
"""
    result = run_python(code, str(tmp_path))
    assert result.returncode == 0, result.stderr
    for name, model in models.items():
        expected = array(model(images(model.input_shape[1:], n=4)))
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="keras-hub brings TensorFlow: tested with it"
)
def test_a_preset_is_a_classifier(tmp_path):
    pytest.importorskip("keras_hub", reason="keras-hub is an extra")
    body = zoo.create("maxnorm_mlp3", input_shape=(4, 4, 1), units=5, num_classes=0)
    with pytest.raises(ZooError, match="does not end with a classifier"):
        export_preset(body, tmp_path / "x")
    assert not (tmp_path / "x").exists()
