"""What every family of networks must hold, on every backend; each small net is built once."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.families import SMALL, filled, images, small
from tests.support.fresh import run_python
from tests.support.helpers import array, forward
from zoo import registry
from zoo.models.deferred import build_without_values, fill


@dataclasses.dataclass
class Net:
    """A model that gives logits, and what it gives for the images."""

    name: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    model: keras.Model
    x: np.ndarray
    logits: np.ndarray

    def create(self, shape=None, **options) -> keras.Model:
        """Another net of this name, with the same weights where it has them."""
        model = build_without_values(
            lambda: small(self.name, self.options, shape or self.shape, **options)
        )
        fill(model, {v.path: array(v).astype("float32") for v in self.model.weights})
        return model


@pytest.fixture(scope="module", params=SMALL, ids=[name for name, _, _ in SMALL])
def net(request):
    keras.utils.set_random_seed(0)
    name, options, shape = request.param
    model, x = filled(name, options, shape, activation=None), images(shape)
    return Net(name, options, shape, model, x, forward(model, x))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


def test_every_family_is_here():
    known = registry.variants("classification")
    assert {known[name].family for name, _, _ in SMALL} == {v.family for v in known.values()}


def test_runs(net):
    assert net.model.name == net.name
    assert len({layer.name for layer in net.model.layers}) == len(net.model.layers)
    assert net.logits.shape == (8, 4)
    assert np.isfinite(net.logits).all()


def test_gives_probabilities_unless_told_otherwise(net):
    model = build_without_values(lambda: small(net.name, net.options, net.shape))
    assert model.get_layer("head_act").activation is keras.activations.softmax
    assert [v.path for v in model.weights] == [v.path for v in net.model.weights]


def test_features(net):
    if "features" not in registry.find(net.name).options:
        pytest.skip("no image model")
    body = net.create(features=True)
    paths = [v.path for v in body.weights]
    assert set(paths) < {v.path for v in net.model.weights}
    maps = forward(body, net.x)
    for level, x in maps.items():
        stride = 2 ** int(level.removeprefix("P"))
        assert abs(x.shape[1] - net.shape[0] / stride) <= 1
        assert abs(x.shape[2] - net.shape[1] / stride) <= 1
    # Any size will do where none is given.
    free = net.create((None, None, net.shape[-1]), features=True)
    assert [v.path for v in free.weights] == paths
    for level, x in forward(free, net.x).items():
        np.testing.assert_allclose(x, maps[level], atol=1e-5)


def test_clone(net):
    clone = keras.models.clone_model(net.model)
    clone.set_weights(net.model.get_weights())
    scale = np.abs(net.logits).max()
    np.testing.assert_allclose(forward(clone, net.x), net.logits, atol=1e-6 * scale)


def test_mixed_precision(net):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = net.create(activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {v.dtype for v in half.weights} == {"float32"}
    assert half.get_layer("head_act").compute_dtype == "float32"
    scale = np.abs(net.logits).max()
    np.testing.assert_allclose(forward(half, net.x), net.logits, atol=0.1 * scale)


def test_is_saved(net, saved):
    net.model.save(saved / f"{net.name}.keras")
    losses = len(net.model.losses)
    np.savez(saved / f"{net.name}.npz", x=net.x, y=net.logits, losses=losses)


def test_one_fit_step_reaches_every_weight_and_keeps_the_bound(net):
    """The last test of a net, for its weights change."""
    model = net.model
    regularized = [v for v in model.trainable_variables if v.regularizer is not None]
    assert len(model.losses) == len(regularized)
    before = {v.path: array(v) for v in model.variables}
    # TensorFlow compiles with XLA on its own accord; for one net that is enough.
    plain = keras.backend.backend() == "tensorflow" and net.name != "plainnet20"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False if plain else "auto")
    model.fit(net.x, np.arange(8) % 4, batch_size=8, verbose=0)
    for v in model.weights:
        # Batch norm takes away what a bias before it adds: its gradient is rounding.
        if not (v.path.endswith(("_dense/bias", "_conv/bias")) and "head" not in v.path):
            assert np.abs(array(v) - before[v.path]).max() > 0, v.path
    if net.name.startswith("maxnorm"):
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                w = array(layer.kernel).reshape(-1, layer.kernel.shape[-1])
                assert np.linalg.norm(w, axis=0).max() <= 3 * (1 + 1e-5)


def test_saved_nets_load_in_a_fresh_process(saved):
    names = {path.stem for path in saved.glob("*.keras")}
    if not names:
        pytest.skip("the nets were not built")
    result = run_python(
        "import sys, pathlib, keras, zoo, numpy as np\n"
        "from tests.support.helpers import forward\n"
        "for path in pathlib.Path(sys.argv[1]).glob('*.keras'):\n"
        "    model = keras.saving.load_model(path)\n"
        "    file = np.load(path.with_suffix('.npz'))\n"
        "    np.testing.assert_allclose(forward(model, file['x']), file['y'], atol=1e-5)\n"
        "    assert len(model.losses) == file['losses']\n"
        "    print(path.stem)\n",
        str(saved),
    )
    assert set(result.stdout.split()) == names, result.stderr
