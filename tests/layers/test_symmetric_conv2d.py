import json

import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.layers import NormPropConv2D, SymmetricConv2D


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", [(7, 8), (9, 6)])
def test_equals_an_explicit_padding(size, strides, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    layer = SymmetricConv2D(4, size, strides=strides)
    y = array(layer(x))
    pad = (size - 1) // 2
    plain = keras.layers.Conv2D(4, size, strides=strides, padding="valid")
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    plain.build(padded.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(y, array(plain(padded)), atol=1e-5)
    assert layer.compute_output_shape(x.shape) == y.shape
    if size % 2:
        assert y.shape[1:3] == tuple(-(-n // strides) for n in shape)


def test_config_and_unknown_sizes():
    layer = SymmetricConv2D(4, 3, strides=2, use_bias=False, name="c")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.filters, again.strides, again.use_bias, again.name) == (4, (2, 2), False, "c")
    assert again.compute_output_shape((None, 9, None, 3)) == (None, 5, None, 4)


@pytest.mark.parametrize("layer", [SymmetricConv2D, NormPropConv2D])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "valid"}, "takes no padding. .*keras.layers.Conv2D.*padding='valid'"),
        ({"padding": "same"}, "takes no padding"),
        ({"data_format": "channels_first"}, "takes no data_format"),
        ({"filters": 0}, "filters must be an integer of at least 1"),
        ({"strides": 1.5}, "strides must be an integer"),
        ({"kernel_size": (3, None)}, "kernel_size must be an integer"),
    ],
)
def test_refuses_what_it_would_ignore(layer, arguments, message):
    with pytest.raises(ZooError, match=message):
        layer(**{"filters": 4, "kernel_size": 3} | arguments)


@pytest.mark.parametrize("layer", [SymmetricConv2D, NormPropConv2D])
def test_takes_numbers_of_numpy(layer):
    conv = layer(np.int64(4), np.int32(3), strides=np.array([2, 2]))
    assert (conv.filters, conv.kernel_size, conv.strides) == (4, (3, 3), (2, 2))
    json.dumps(keras.layers.serialize(conv))
