import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.initializers import DeltaOrthonormal, Orthonormal


def test_a_chain_of_convolutions_is_an_isometry_at_every_position():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 6)).astype("float32")

    def chain(initializer):
        net = keras.Sequential(
            keras.layers.Conv2D(6, 3, padding="same", kernel_initializer=initializer())
            for _ in range(20)
        )
        return array(net(x))

    y = chain(DeltaOrthonormal)
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-4)
    assert np.ptp(np.linalg.norm(chain(Orthonormal), axis=-1) / np.linalg.norm(x, axis=-1)) > 0.5


def test_the_centre_is_orthonormal_and_the_rest_is_zero():
    kernel = array(DeltaOrthonormal(gain=2.0, seed=3)((3, 5, 4, 8), "float32"))
    np.testing.assert_array_equal(
        kernel[1, 2], array(Orthonormal(gain=2.0, seed=3)((4, 8), "float32"))
    )
    assert np.count_nonzero(kernel) == 32
    dense = array(DeltaOrthonormal(seed=3)((4, 8), "float32"))
    np.testing.assert_array_equal(dense, array(Orthonormal(seed=3)((4, 8), "float32")))


def test_starts_where_the_regularizer_is_zero():
    kernel = DeltaOrthonormal(seed=1)((3, 3, 16, 16), "float32")
    assert float(zoo.regularizers.OrthonormalRegularizer(1.0)(kernel)) == pytest.approx(0, abs=1e-9)


def test_refuses_even_sides():
    with pytest.raises(ValueError, match=r"odd sides.*\(2, 3, 4, 4\)"):
        DeltaOrthonormal()((2, 3, 4, 4))


def test_serialization_and_models():
    again = keras.initializers.deserialize(keras.initializers.serialize(DeltaOrthonormal(1.5, 3)))
    shape = (3, 3, 6, 4)
    np.testing.assert_array_equal(array(again(shape)), array(DeltaOrthonormal(1.5, 3)(shape)))
    model = zoo.create("plainnet20", initializer="delta_orthonormal", width=2)
    assert np.count_nonzero(array(model.get_layer("stage1_1_conv").kernel)) == 4
