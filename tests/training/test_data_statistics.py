"""Statistics of single pixels."""

import numpy as np
import pytest

from training.data import Images, Pictures
from training.data.statistics import per_pixel

pytestmark = pytest.mark.once


def images(x):
    return Images(x, np.zeros(len(x), np.int64), ("a",))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_mean_and_deviation(dtype, chunk):
    x = np.random.default_rng(0).uniform(0, 256, (20, 3, 4, 2)).astype(dtype)
    mean, std = per_pixel(images(x), chunk)
    assert mean.dtype == std.dtype == np.float64
    assert np.allclose(mean, x.astype("float64").mean(axis=0), rtol=1e-13)
    assert np.allclose(std, x.astype("float64").std(axis=0), rtol=1e-13)


def test_standardized_pixels_have_mean_0_and_deviation_1():
    x = np.random.default_rng(1).normal(120, 30, (500, 2, 2, 3)).astype("float32")
    mean, std = per_pixel(images(x))
    z = (x - mean) / std
    assert np.allclose(z.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(z.std(axis=0), 1, rtol=1e-12)


def test_pixels_that_never_change():
    x = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 1)).astype("uint8")
    x[:, 0, 0] = 0
    x[:, 1, 1] = 255
    mean, std = per_pixel(images(x))
    assert (mean[0, 0, 0], mean[1, 1, 0]) == (0, 255)
    assert (std[0, 0, 0], std[1, 1, 0]) == (1, 1)
    assert std[0, 1, 0] > 1


def test_sums_do_not_overflow_or_cancel():
    """A set so bright that uint8 sums wrap and float32 sums of squares lose the deviation."""
    x = np.full((5000, 1, 1, 1), 250, "uint8")
    x[::2] += 4
    mean, std = per_pixel(images(x))
    assert (mean.item(), std.item()) == (252, 2)


def test_bad_input():
    with pytest.raises(ValueError, match="0 images of type ndarray"):
        per_pixel(images(np.zeros((0, 2, 2, 1), "uint8")))
    with pytest.raises(ValueError, match="2 images of type Pictures"):
        per_pixel(Images(Pictures([b"", b""]), np.zeros(2, np.int64), ("a",)))
