import tracemalloc

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.theory.covariance import Covariance

pytestmark = pytest.mark.once


@pytest.fixture
def rows():
    # A mean a thousand times the deviation: the sum of squares alone would lose six digits.
    rng = np.random.default_rng(0)
    return rng.standard_normal((1000, 7)) * np.geomspace(1, 1e-3, 7) + 1000 * rng.random(7)


def accumulated(*parts) -> Covariance:
    found = Covariance(parts[0].shape[-1])
    for part in parts:
        found.update(part)
    return found


def test_matrices_of_batches_are_those_of_everything_at_once(rows):
    parts = np.split(rows, [1, 5, 300, 301, 990])
    for found in (accumulated(rows), accumulated(*parts), accumulated(*reversed(parts))):
        assert found.count == 1000
        np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.moment, rows.T @ rows / 1000, rtol=1e-12)
        expected = np.cov(rows.T, bias=True)
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=1e-9)


def test_merging_equals_updating(rows):
    left, right = accumulated(rows[:10]), accumulated(rows[10:])
    left.merge(right)
    left.merge(Covariance(7))
    np.testing.assert_allclose(left.covariance, accumulated(rows).covariance, rtol=1e-9, atol=1e-12)
    assert left.count == 1000


def test_every_position_is_an_example(rows):
    maps = rows.reshape(10, 5, 20, 7)
    np.testing.assert_allclose(accumulated(maps).moment, accumulated(rows).moment, rtol=1e-12)


def test_memory_at_size_2048_is_that_of_matrices_not_of_the_batch():
    matrix = 2048**2 * 8
    # Eight matrices of numbers, were they converted to float64 at once.
    batch = np.broadcast_to(np.float32(1), (16 * 1024, 2048))
    found = Covariance(2048)
    tracemalloc.start()
    found.update(batch[:1024])
    small = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    found.update(batch[: 4 * 1024])
    large = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert large < small + 0.1 * matrix
    assert large < 2.6 * matrix  # with the one held since before the trace: three and a bit
    np.testing.assert_allclose(found.moment[:2, :2], 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_change_nothing(rows, bad):
    found = accumulated(rows)
    before = found.moment
    broken = rows.copy()
    broken[-1, 3] = bad
    with pytest.raises(ZooError, match="must be finite"):
        found.update(broken)
    assert found.count == 1000
    np.testing.assert_array_equal(found.moment, before)


def test_bad_input():
    with pytest.raises(ZooError, match=r"shape \(…, 3\). Received: \(4, 2\)"):
        Covariance(3).update(np.ones((4, 2)))
    with pytest.raises(ZooError, match=r"Received: \(3,\)"):
        Covariance(3).update(np.ones(3))
    with pytest.raises(ZooError, match="size=0"):
        Covariance(0)
    with pytest.raises(ZooError, match="at least one row"):
        Covariance(3).moment  # noqa: B018
    with pytest.raises(ZooError, match="Received: 3 and 4"):
        Covariance(3).merge(Covariance(4))
