"""ROIAlign: features of fixed size for boxes of any size."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

from zoo.detection.boxes import area
from zoo.errors import ZooError
from zoo.types import Tensor

FORMS = ("gather", "sum", "matmul")

# Boxes (B, R, 4) and their levels (B, R) -> (B, R, size, size, C).
Reader = Callable[[Tensor, Tensor], Tensor]
# Maps, their scales, size, sampling, aligned -> a reader of these maps.
Form = Callable[[Sequence[Tensor], Sequence[float], int, int, bool], Reader]


def roi_align(
    features: Tensor,
    boxes: Tensor,
    size: int,
    scale: float,
    sampling: int = 2,
    aligned: bool = True,
    form: str = "gather",
    at_once: int | None = None,
) -> Tensor:
    """Means of bilinear samples in the size x size bins of each box.

    Each bin has sampling x sampling points on a regular grid. A point up to one cell beyond the
    outermost centres takes the value at the border, one beyond that (below -1 or above the number
    of cells) is 0. Gradients flow to the features, not to the boxes. Computed in the dtype of the
    features, the geometry in float32.

    Args:
        features: tensor (B, H, W, C) with known H, W and C.
        boxes: tensor (B, R, 4) in pixels of the image.
        size: int, bins along each side.
        scale: float, cells per pixel, 1/stride.
        sampling: int, points along each side of a bin.
        aligned: bool. True: the centre of cell (i, j) is at (i + 0.5, j + 0.5) cells, as continuous
            coordinates have it. False: at (i, j), and no box is smaller than one cell, as in the
            first implementations.
        form: str. "gather" reads all cells around the points of a bin, then takes their mean; "sum"
            adds them up one by one; "matmul" multiplies the map by a matrix of weights for either
            axis. Same numbers (to rounding), other speed and memory: compiled by XLA "sum" holds
            nothing but the result and is fastest, but its gradient is slowest.
        at_once: int, boxes of each image that are read at a time, in a loop over the others; None
            for all of them. "gather" holds 4 * sampling ** 2 values of C for each bin that is
            read at a time. The loop is faster on JAX; on TensorFlow its gradient is slower; on
            PyTorch all of it.

    Returns:
        Tensor (B, R, size, size, C).

    Raises:
        ZooError: a size, sampling or `at_once` below 1; an unknown form.

    References:
        - He et al., "Mask R-CNN", section 3.

    Example:

    >>> image = np.arange(16.0, dtype="float32").reshape((1, 4, 4, 1))
    >>> np.array(roi_align(image, np.array([[[0.0, 0.0, 4.0, 4.0]]]), 1, scale=1.0)).tolist()
    [[[[[7.5]]]]]
    """
    _check(size, sampling, form, at_once)
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    level = ops.zeros_like(boxes[..., 0], dtype="int32")
    return _in_parts(
        _FORMS[form]([features], [scale], size, sampling, aligned), boxes, level, at_once
    )


def pyramid_roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    strides: Sequence[int],
    size: int,
    sampling: int = 2,
    form: str = "gather",
    at_once: int | None = None,
) -> Tensor:
    """`roi_align` of each box on the level of the pyramid that `pyramid_level` gives.

    Args:
        features: sequence of tensors (B, H, W, C), one for each level, all of the same C.
        boxes: tensor (B, R, 4) in pixels of the image.
        strides: sequence of int, pixels from cell to cell of each level, rising.
        size, sampling, form, at_once: as `roi_align`; the boxes are aligned.

    Returns:
        Tensor (B, R, size, size, C).

    Raises:
        ZooError: as `roi_align`; other numbers of features and strides.

    Example:

    >>> maps = [np.ones((2, 64, 64, 8), "float32"), np.ones((2, 32, 32, 8), "float32")]
    >>> tuple(pyramid_roi_align(maps, np.ones((2, 5, 4)), (4, 8), size=7).shape)
    (2, 5, 7, 7, 8)
    """
    _check(size, sampling, form, at_once)
    if len(features) != len(strides):
        raise ZooError(f"Received {len(features)} levels of features and {strides=}")
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    scales = [1.0 / stride for stride in strides]
    level = pyramid_level(boxes, strides)
    return _in_parts(_FORMS[form](features, scales, size, sampling, True), boxes, level, at_once)


def pyramid_level(boxes: Tensor, strides: Sequence[int]) -> Tensor:
    """Index into `strides` of the level that a box is read from: the larger, the coarser.

        k = floor(4 + log2(sqrt(area) / 224)),    stride = 2^k, clamped to those there are

    Args:
        boxes: tensor (…, 4) in pixels.
        strides: sequence of int, of the levels, rising, each twice the one before.

    Returns:
        Tensor (…,), int32.

    References:
        - Lin et al., "Feature Pyramid Networks for Object Detection", equation 1.

    Example:

    >>> np.array(pyramid_level([[0.0, 0.0, 224.0, 224.0]], (4, 8, 16, 32))).tolist()
    [2]
    """
    # The least areas of all levels but the first; exact, which a logarithm is not.
    least = np.array([(224 * stride / 16) ** 2 for stride in strides[1:]], "float32")
    reached = ops.greater_equal(area(boxes)[..., None], least)
    return ops.sum(ops.cast(reached, "int32"), axis=-1)


def sample_points(
    low: Tensor, high: Tensor, cells: Tensor, size: int, sampling: int, aligned: bool = True
) -> tuple[Tensor, Tensor]:
    """Where boxes are read along one axis.

    Args:
        low, high: tensors (…,), the sides of the boxes in cells.
        cells: tensor (…,), the number of cells, float.
        size, sampling, aligned: as `roi_align`.

    Returns:
        Tensors (…, size * sampling): points, float indices of cells within 0 and cells - 1; and
        bool, whether a point counts.

    Example:

    >>> numbers = (keras.ops.convert_to_tensor([x]) for x in (0.0, 4.0, 4.0))
    >>> points, inside = sample_points(*numbers, size=2, sampling=1)
    >>> np.array(points).tolist(), np.array(inside).tolist()
    ([[0.5, 2.5]], [[True, True]])
    """
    extent = high - low
    if aligned:
        low = low - 0.5
    else:
        extent = ops.maximum(extent, 1.0)
    n = size * sampling
    steps = (ops.arange(n, dtype="float32") + 0.5) / n
    points = low[..., None] + extent[..., None] * steps
    cells = cells[..., None]
    inside = (points >= -1.0) & (points <= cells)
    # A box that is not a number has no point inside, and reads no cell that is not there.
    points = ops.where(inside, ops.clip(points, 0.0, cells - 1.0), 0.0)
    return points, inside


def axis_weights(
    low: Tensor, high: Tensor, cells: int, size: int, sampling: int, aligned: bool = True
) -> Tensor:
    """Weight of each cell in each bin along one axis: `sample_points` as a matrix.

    Args:
        low, high: tensors (…,), the sides of the boxes in cells.
        cells: int, the number of cells.
        size, sampling, aligned: as `roi_align`.

    Returns:
        Tensor (…, size, cells), float32.

    Example:

    >>> low, high = (keras.ops.convert_to_tensor([x]) for x in (0.0, 4.0))
    >>> np.array(axis_weights(low, high, cells=4, size=2, sampling=1)).tolist()
    [[[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]]
    """
    points, inside = sample_points(
        low, high, ops.full_like(low, float(cells)), size, sampling, aligned
    )
    distance = ops.abs(points[..., None] - ops.arange(cells, dtype="float32"))
    weights = ops.where(inside[..., None], ops.maximum(1.0 - distance, 0.0), 0.0)
    shape = (*ops.shape(low), size, sampling, cells)
    return ops.mean(ops.reshape(weights, shape), axis=-2)


def _in_parts(read: Reader, boxes: Tensor, level: Tensor, at_once: int | None) -> Tensor:
    """`read(boxes (B, n, 4), level (B, n))`, of n boxes at a time."""
    rois = boxes.shape[1]
    parts = math.ceil(rois / (at_once or rois))
    if parts == 1:
        return read(boxes, level)
    n = math.ceil(rois / parts)
    boxes = ops.pad(boxes, [(0, 0), (0, parts * n - rois), (0, 0)])
    level = ops.pad(level, [(0, 0), (0, parts * n - rois)])
    boxes = ops.swapaxes(ops.reshape(boxes, (-1, parts, n, 4)), 0, 1)
    level = ops.swapaxes(ops.reshape(level, (-1, parts, n)), 0, 1)
    regions = ops.swapaxes(ops.map(lambda part: read(*part), (boxes, level)), 0, 1)
    return ops.reshape(regions, (-1, parts * n, *regions.shape[3:]))[:, :rois]


def _by_index(read_cells: Callable[..., Tensor]) -> Form:
    """A form that reads single cells: `read_cells(cells, rows, columns, weights of either)`."""

    def form(
        features: Sequence[Tensor], scales: Sequence[float], size: int, sampling: int, aligned: bool
    ) -> Reader:
        channels = features[0].shape[-1]
        heights, widths = ([f.shape[axis] for f in features] for axis in (1, 2))
        areas = [h * w for h, w in zip(heights, widths, strict=True)]
        maps = [ops.reshape(f, (-1, n, channels)) for f, n in zip(features, areas, strict=True)]
        cells = ops.reshape(ops.concatenate(maps, axis=1), (-1, channels))

        def read(boxes: Tensor, level: Tensor) -> Tensor:
            def of_level(values: Sequence | np.ndarray, dtype: str) -> Tensor:
                return ops.take(np.asarray(values, dtype), level, axis=0)

            boxes = boxes * of_level(scales, "float32")[..., None]
            y, y_weight = _neighbours(
                boxes[..., 1], boxes[..., 3], of_level(heights, "float32"), size, sampling, aligned
            )
            x, x_weight = _neighbours(
                boxes[..., 0], boxes[..., 2], of_level(widths, "float32"), size, sampling, aligned
            )
            first = ops.arange(ops.shape(boxes)[0], dtype="int32")[:, None] * sum(areas)
            first = first + of_level(np.cumsum([0, *areas[:-1]]), "int32")
            rows = first[..., None, None] + y * of_level(widths, "int32")[..., None, None]
            # Each (B, R, bins, 2 * sampling).
            return read_cells(cells, rows, x, y_weight, x_weight)

        return read

    return form


def _at_once(
    cells: Tensor, rows: Tensor, columns: Tensor, row_weight: Tensor, column_weight: Tensor
) -> Tensor:
    _, rois, size, around = rows.shape
    # (B, R, bins down, bins across, cells down, cells across)
    index = rows[:, :, :, None, :, None] + columns[:, :, None, :, None, :]
    weight = row_weight[:, :, :, None, :, None] * column_weight[:, :, None, :, None, :]
    shape = (-1, rois, size, size, around**2)
    values = ops.take(cells, ops.reshape(index, shape), axis=0)
    weight = ops.cast(ops.reshape(weight, shape), values.dtype)
    return ops.matmul(weight[..., None, :], values)[..., 0, :]


def _one_by_one(
    cells: Tensor, rows: Tensor, columns: Tensor, row_weight: Tensor, column_weight: Tensor
) -> Tensor:
    total: Tensor = 0.0
    for down, across in itertools.product(range(rows.shape[-1]), range(columns.shape[-1])):
        index = rows[:, :, :, None, down] + columns[:, :, None, :, across]
        weight = row_weight[:, :, :, None, down] * column_weight[:, :, None, :, across]
        values = ops.cast(ops.take(cells, index, axis=0), "float32")
        total = total + weight[..., None] * values
    return ops.cast(total, cells.dtype)


def _neighbours(
    low: Tensor, high: Tensor, cells: Tensor, size: int, sampling: int, aligned: bool
) -> tuple[Tensor, Tensor]:
    """Both cells around each point and their weights, (B, R, size, 2 * sampling) each."""
    points, inside = sample_points(low, high, cells, size, sampling, aligned)
    lower = ops.floor(points)
    upper = ops.minimum(lower + 1.0, cells[..., None] - 1.0)
    fraction = points - lower
    share = ops.where(inside, 1.0 / sampling, 0.0)
    shape = (-1, low.shape[1], size, 2 * sampling)
    index = ops.reshape(ops.stack([lower, upper], axis=-1), shape)
    weight = ops.stack([(1.0 - fraction) * share, fraction * share], axis=-1)
    return ops.cast(index, "int32"), ops.reshape(weight, shape)


def _matmul(
    features: Sequence[Tensor], scales: Sequence[float], size: int, sampling: int, aligned: bool
) -> Reader:
    def read(boxes: Tensor, level: Tensor) -> Tensor:
        total: Tensor = 0.0
        rois = boxes.shape[1]
        for i, (map_, scale) in enumerate(zip(features, scales, strict=True)):
            _, height, width, channels = map_.shape
            x1, y1, x2, y2 = (boxes[..., j] * scale for j in range(4))
            down = axis_weights(y1, y2, height, size, sampling, aligned)
            across = axis_weights(x1, x2, width, size, sampling, aligned)
            down = ops.where((level == i)[..., None, None], down, 0.0)
            down, across = ops.cast(down, map_.dtype), ops.cast(across, map_.dtype)
            rows = ops.matmul(
                ops.reshape(down, (-1, rois * size, height)),
                ops.reshape(map_, (-1, height, width * channels)),
            )
            rows = ops.reshape(rows, (-1, rois, size, width, channels))
            total = total + ops.matmul(across[:, :, None], rows)
        return total

    return read


_FORMS: dict[str, Form] = {
    "gather": _by_index(_at_once),
    "sum": _by_index(_one_by_one),
    "matmul": _matmul,
}


def _check(size: int, sampling: int, form: str, at_once: int | None) -> None:
    if size < 1 or sampling < 1:
        raise ZooError(f"size and sampling must be at least 1. Received: {size=}, {sampling=}")
    if at_once is not None and at_once < 1:
        raise ZooError(f"at_once must be at least 1, or None for all boxes. Received: {at_once}")
    if form not in FORMS:
        raise ZooError(f"form must be one of {', '.join(FORMS)}. Received: {form!r}")
