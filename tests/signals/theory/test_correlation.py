import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ZooError
from zoo.signals.theory.correlation import coherence, filter_correlations


def test_known_angles():
    kernel = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, -2.0]], "float32")  # 0°, 45°, -90°
    half = np.sqrt(0.5)
    np.testing.assert_allclose(filter_correlations(kernel), [half, 0, -half], atol=1e-7)


def test_orthonormal_filters_are_uncorrelated_and_random_ones_as_theory_says():
    shape = (3, 3, 16, 64)
    orthonormal = zoo.initializers.Orthonormal(seed=0)(shape)
    assert np.abs(filter_correlations(orthonormal)).max() < 1e-5
    random = filter_correlations(keras.initializers.HeNormal(seed=0)(shape))
    assert random.shape == (64 * 63 // 2,)
    expected = np.sqrt(2 / (np.pi * 3 * 3 * 16))
    assert np.abs(random).mean() == pytest.approx(expected, rel=0.1)
    assert abs(random.mean()) < expected / 10


def test_scale_and_dead_filters_do_not_matter():
    layer = keras.layers.Conv2D(4, 3)
    layer.build((None, 8, 8, 2))
    before = filter_correlations(layer.kernel)
    layer.kernel.assign(layer.kernel.value * 7.0)
    np.testing.assert_allclose(filter_correlations(layer.kernel), before, rtol=1e-5, atol=1e-6)
    kernel = np.ones((5, 3))
    kernel[:, 1] = 0
    np.testing.assert_allclose(filter_correlations(kernel), [0, 1, 0], atol=1e-12)


def test_coherence_finds_planted_twins():
    kernel = keras.initializers.HeNormal(seed=0)((3, 3, 8, 16))
    kernel = np.array(keras.ops.convert_to_numpy(kernel))
    alone = coherence(kernel)
    assert 0 < alone < 0.6
    kernel[..., 3] = -2 * kernel[..., 11]
    assert coherence(kernel) == pytest.approx(1)
    found = filter_correlations(kernel)
    assert (np.abs(found) > 0.99).sum() == 1
    assert found.min() == pytest.approx(-1)
    assert coherence(np.array([[1.0, 1.0], [0.0, 1.0]])) == pytest.approx(np.sqrt(0.5))
    assert coherence(zoo.initializers.Orthonormal(seed=0)((3, 3, 8, 16))) < 1e-5
    assert coherence(np.ones((4, 1))) == 0  # one filter has no other


def test_vectors_have_no_filters():
    with pytest.raises(ZooError, match=r"at least two dimensions.*Received: shape=\(4,\)"):
        filter_correlations(np.ones(4))
    with pytest.raises(ZooError, match="at least two dimensions"):
        coherence(np.ones(4))
