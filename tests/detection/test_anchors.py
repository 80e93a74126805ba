import numpy as np
import pytest

from zoo.detection.anchors import make_anchors
from zoo.errors import ZooError

pytestmark = pytest.mark.once


def test_one_cell_by_hand():
    (found,) = make_anchors((4, 4), (4,), (8,), ratios=(0.25, 1, 4))
    # Around (2, 2); height over width is the ratio, the area 64 throughout.
    np.testing.assert_array_equal(found, [[-6, 0, 10, 4], [-2, -2, 6, 6], [0, -6, 4, 10]])
    assert found.dtype == np.float32


def test_order_is_rows_columns_ratios():
    (found,) = make_anchors((2, 3), (1,), (1,), ratios=(1, 4))
    maps = found.reshape(2, 3, 2, 4)
    centres = (maps[..., :2] + maps[..., 2:]) / 2
    for row in range(2):
        for column in range(3):
            np.testing.assert_allclose(centres[row, column], [[column + 0.5, row + 0.5]] * 2)
    sizes = maps[..., 2:] - maps[..., :2]
    np.testing.assert_allclose(sizes, np.broadcast_to([[1, 1], [0.5, 2]], sizes.shape))


def test_a_pyramid():
    strides, sizes = (4, 8, 16, 32, 64), (32, 64, 128, 256, 512)
    levels = make_anchors((128, 192), strides, sizes)
    assert [len(level) for level in levels] == [128 * 192 * 3 // s**2 for s in strides]
    for level, size in zip(levels, sizes, strict=True):
        extent = level[:, 2:] - level[:, :2]
        np.testing.assert_allclose(extent.prod(axis=1), size**2, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((64, 66), (4,), (32,)), r"multiples of 4.*\(64, 66\)"),
        (((0, 64), (4,), (32,)), "multiples"),
        (((64, 64), (4, 8), (32,)), "a stride and a size"),
        (((64, 64), (), ()), "a stride and a size"),
        (((64, 64), (4,), (0,)), "positive"),
        (((64, 64), (4,), (32,), ()), "positive"),
        (((64, 64), (4,), (32,), (-1,)), "positive"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ZooError, match=message):
        make_anchors(*arguments)
