import math

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.theory.ratios import Ratios, linear_ratios, pair_ratios


def test_pairs():
    inverse = 1 - 1 / math.pi
    np.testing.assert_allclose(pair_ratios(2), (1 + inverse, 2), rtol=1e-12)
    np.testing.assert_allclose(pair_ratios(4, tied=False), (inverse / 2, 1 / 2), rtol=1e-12)
    for k in (1, 2, 8.0):
        relu = activation_ratios("relu").rate
        assert pair_ratios(k, tied=False).rate == pytest.approx(relu, rel=2e-6)
        assert 1 < pair_ratios(2 * k).rate < pair_ratios(k).rate < relu
    for k in (0, -1, math.inf, math.nan, "2", True):
        with pytest.raises(ZooError, match=r"k must be a positive number. Received: k="):
            pair_ratios(k)


def test_linear_layers():
    kernel = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(linear_ratios(kernel), (55 / 3, 55 / 2))
    assert linear_ratios(kernel).rate == pytest.approx(3 / 2)
    convolution = keras.Variable(np.ones((3, 3, 2, 4), "float32"))
    assert linear_ratios(convolution) == Ratios(18, 36)
    with pytest.raises(ZooError, match=r"at least two dimensions.*shape=\(3,\)"):
        linear_ratios(np.ones(3))
