import keras
import numpy as np
import pytest
from keras import ops

from tests.support.helpers import array, weight_gradients
from zoo.layers import SymmetricConv2D, loop_conv

pytestmark = pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch has no loop")


@pytest.mark.parametrize("size", [1, 3, (3, 5)])
def test_gradients_are_those_of_the_convolution(size):
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 4)).astype("float32")
    dy = np.random.default_rng(1).normal(size=(3, 6, 5, 2)).astype("float32")
    point = SymmetricConv2D(4, 1, name="point")  # its gradient needs the one of x
    conv = SymmetricConv2D(2, size, name="conv")
    model = keras.Sequential([keras.Input(x.shape[1:]), point, conv])
    plain = weight_gradients(model, lambda: ops.sum(model(x) * dy))
    expected = array(model(x))
    with loop_conv.active():
        assert loop_conv.applies(conv)
        np.testing.assert_allclose(array(model(x)), expected, atol=1e-5)
        written = weight_gradients(model, lambda: ops.sum(model(x) * dy))
    assert not loop_conv.applies(conv)
    for path, value in plain.items():
        np.testing.assert_allclose(written[path], value, rtol=1e-4, atol=1e-4, err_msg=path)


@pytest.mark.parametrize(
    ("size", "options"),
    [(2, {}), (3, {"strides": 2}), (3, {"dilation_rate": 2}), (3, {"groups": 2})],
)
def test_other_convolutions_are_left_alone(size, options):
    with loop_conv.active():
        assert not loop_conv.applies(SymmetricConv2D(4, size, **options))
