import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.constraints import MaxNorm


@pytest.mark.parametrize("shape", [(7, 5), (3, 3, 4, 6), (3, 2, 5), (2, 2, 2, 3, 4)])
def test_bounds_every_unit_and_leaves_short_ones_bit_equal(shape):
    w = np.random.default_rng(0).normal(size=shape).astype("float32")
    w[..., 0] *= 10 / np.linalg.norm(w[..., 0])  # one long unit,
    w[..., 1] *= 0.5 / np.linalg.norm(w[..., 1])  # one short,
    w[..., 2] = 0  # and one of zeros
    bounded = array(MaxNorm(3)(keras.ops.convert_to_tensor(w)))
    norms = np.sqrt((bounded**2).sum(axis=tuple(range(len(shape) - 1))))
    np.testing.assert_allclose(norms[0], 3, rtol=1e-6)
    np.testing.assert_array_equal(bounded[..., 1:3], w[..., 1:3])
    # Same direction as before.
    np.testing.assert_allclose(bounded[..., 0] * 10 / 3, w[..., 0], rtol=1e-5)


def test_holds_during_fit():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, kernel_constraint=MaxNorm(0.1)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, kernel_constraint=MaxNorm(0.2)),
        ]
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 6, 6, 2)), rng.normal(size=(8, 3)), verbose=0)
    conv, dense = (array(model.layers[i].kernel) for i in (0, 2))
    assert np.sqrt((conv**2).sum(axis=(0, 1, 2))).max() <= 0.1 * (1 + 1e-6)
    assert np.sqrt((dense**2).sum(axis=0)).max() <= 0.2 * (1 + 1e-6)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_refuses_a_bound_that_is_not_positive(value):
    with pytest.raises(ValueError, match="max_value must be a number above 0"):
        MaxNorm(value)


def test_serialization():
    again = keras.constraints.deserialize(keras.constraints.serialize(MaxNorm(2.5)))
    assert isinstance(again, MaxNorm)
    assert again.max_value == 2.5
