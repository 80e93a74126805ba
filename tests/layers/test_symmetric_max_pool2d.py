import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.layers import SymmetricMaxPool2D


@pytest.mark.parametrize("size", [1, 4, 5])
def test_pads_with_minus_infinity_on_both_sides(size):
    x = -1 - np.random.default_rng(0).random((2, size, 6, 3)).astype("float32")
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    rows = range(-(-size // 2))
    expected = np.stack(
        [
            np.stack(
                [padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2)) for j in range(3)], 1
            )
            for i in rows
        ],
        1,
    )
    layer = SymmetricMaxPool2D(3, 2)
    np.testing.assert_allclose(array(layer(x)), expected, rtol=1e-6)
    assert layer.compute_output_shape(x.shape) == expected.shape


def test_unknown_size_half_precision_and_clone():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, SymmetricMaxPool2D(dtype="mixed_float16")(inputs))
    assert model.output_shape == (None, None, None, 2)
    clone = keras.models.clone_model(model)
    y = array(clone(-np.ones((1, 5, 4, 2), "float32")))
    np.testing.assert_array_equal(y, -np.ones((1, 3, 2, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool_size": 2}, "odd int"),
        ({"pool_size": (3, 3)}, "pool_size must be an integer"),
        ({"strides": (1, 2)}, "strides must be an integer"),
        ({"padding": "valid"}, "takes no padding"),
        ({"data_format": "channels_first"}, "takes no data_format"),
    ],
)
def test_refuses_other_sizes(arguments, message):
    with pytest.raises(ZooError, match=message):
        SymmetricMaxPool2D(**arguments)


def test_takes_numbers_of_numpy():
    assert SymmetricMaxPool2D(np.int64(5), np.int8(3)).get_config()["pool_size"] == 5
