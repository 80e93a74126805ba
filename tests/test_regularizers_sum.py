import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.regularizers import ScaledOrthogonalRegularizer, Sum


def test_is_the_sum_and_survives_serialization():
    terms = [keras.regularizers.L2(0.1), ScaledOrthogonalRegularizer(0.2)]
    w = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    expected = sum(array(term(w)) for term in terms)
    again = keras.regularizers.deserialize(keras.regularizers.serialize(Sum(terms)))
    np.testing.assert_allclose(array(Sum(terms)(w)), expected, rtol=1e-6)
    np.testing.assert_allclose(array(again(w)), expected, rtol=1e-6)


def test_is_live_in_a_layer():
    layer = keras.layers.Dense(2, kernel_regularizer=Sum([keras.regularizers.L2(0.5)]))
    layer.build((None, 3))
    np.testing.assert_allclose(
        array(layer.losses[0]), 0.5 * (array(layer.kernel) ** 2).sum(), rtol=1e-6
    )


def test_files_know_it_by_its_first_name():
    stored = {
        "module": "zoo.regularizers.total",
        "class_name": "Total",
        "config": {"terms": [keras.regularizers.serialize(keras.regularizers.L2(0.5))]},
        "registered_name": "zoo>Total",
    }
    assert keras.regularizers.serialize(Sum([]))["registered_name"] == "zoo>Total"
    assert isinstance(keras.regularizers.deserialize(stored), Sum)
    with pytest.warns(DeprecationWarning, match="Sum"):
        assert zoo.regularizers.Total is Sum
