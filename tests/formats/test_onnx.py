"""ONNX files of `model.export` on PyTorch: another program runs them, to the same numbers."""

import keras
import numpy as np
import pytest

from tests.support.families import SMALL, images, small
from tests.support.helpers import array
from zoo.layers import BatchNormalization

if keras.backend.backend() != "torch":
    pytest.skip("TensorFlow and JAX export by programs of their own", allow_module_level=True)
pytest.importorskip("onnx", reason="needs onnx, by which PyTorch writes the files")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, which runs the files")

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch's tracer names every Python number

# One with each way to normalize; the MLP has no places.
NAMES = ("plainnet20", "maxnorm_mlp3", "seqnet18", "normprop_resnet20")
NETS = [row for row in SMALL if row[0] in NAMES]


def randomize(model: keras.Model) -> None:
    """Statistics as after training: with those of the start, BatchNorm is the identity."""
    rng = np.random.default_rng(1)
    for v in model.weights:
        if v.path.endswith(("gamma", "moving_variance")):
            v.assign(rng.uniform(0.5, 1.5, tuple(v.shape)))
        elif v.path.endswith(("beta", "moving_mean")):
            v.assign(rng.normal(0, 0.3, tuple(v.shape)))


def check(model: keras.Model, path, x: np.ndarray) -> None:
    randomize(model)
    expected = array(model(x))
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    (name,) = (entry.name for entry in session.get_inputs())
    for n in (len(x), 1):  # any number of pictures
        (found,) = session.run(None, {name: x[:n]})
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected[:n], rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("shape", [(6, 5, 3), (7, 3), (3,)])
def test_batch_normalization(shape, tmp_path):
    image = keras.Input(shape)
    check(keras.Model(image, BatchNormalization()(image)), tmp_path / "net.onnx", images(shape))


@pytest.mark.parametrize(("name", "options", "shape"), NETS, ids=[row[0] for row in NETS])
def test_nets(name, options, shape, tmp_path):
    model = small(name, options, shape, activation=None)
    check(model, tmp_path / "net.onnx", images(shape))
