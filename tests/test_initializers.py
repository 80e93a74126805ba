import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.initializers import Orthonormal


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((27, 16), [16]),  # fan_in > out
        ((12, 12), [12]),  # square
        ((3, 3, 3, 64), [27, 27, 10]),  # fan_in < out, a smaller last group
        ((1, 1, 8, 32), [8, 8, 8, 8]),
        ((3, 3, 16, 16), [16]),
    ],
)
def test_filters_are_orthonormal_within_groups(shape, groups):
    w = array(Orthonormal(seed=1)(shape, dtype="float32")).reshape(-1, shape[-1])
    start = 0
    for size in groups:
        part = w[:, start : start + size]
        np.testing.assert_allclose(part.T @ part, np.eye(size), atol=1e-5)
        start += size
    assert start == shape[-1]


def test_gain_and_seeds():
    one, same, other = (Orthonormal(seed=s)((9, 4)) for s in (1, 1, 2))
    np.testing.assert_array_equal(array(one), array(same))
    assert np.abs(array(one) - array(other)).max() > 0.01
    np.testing.assert_allclose(array(Orthonormal(2.0, seed=1)((9, 4))), 2 * array(one), rtol=1e-6)
    keras.utils.set_random_seed(5)
    first = array(Orthonormal()((9, 4)))
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(array(Orthonormal()((9, 4))), first)


def test_distribution_is_uniform_over_signs():
    # A QR decomposition without sign fix has a diagonal of one sign and is not uniform (Haar).
    traces = [np.sign(array(Orthonormal(seed=s)((1, 1)))).item() for s in range(200)]
    assert 60 < sum(t > 0 for t in traces) < 140


def test_refuses_vectors():
    with pytest.raises(ValueError, match="at least two dimensions"):
        Orthonormal()((5,))


def test_serialization():
    again = keras.initializers.deserialize(keras.initializers.serialize(Orthonormal(1.5, 3)))
    np.testing.assert_array_equal(array(again((6, 4))), array(Orthonormal(1.5, 3)((6, 4))))
