"""Masks of objects on the host: COCO's polygons and run lengths, box frames, pasting."""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import ZooError

# COCO's "segmentation" of one object: polygons [x, y, x, y, …], or run lengths.
Outline = Sequence[Sequence[float]] | Mapping[str, Any]

_DIGITS = 7  # of 5 bits: what a run length of a picture can take


def outline_to_mask(outline: Outline, size: tuple[int, int]) -> np.ndarray:
    """The pixels of an object, from either kind of COCO's "segmentation".

    Args:
        outline: polygons as for `polygons_to_mask`, or run lengths as for `decode_rle`.
        size: tuple of int, (H, W) of the picture in pixels.

    Returns:
        Array (H, W), bool.

    Raises:
        ZooError: the outline is broken, or its run lengths are of another picture size.

    Example:

    >>> outline_to_mask({"size": [2, 2], "counts": [2, 2]}, (2, 2)).tolist()
    [[False, True], [False, True]]
    """
    if not isinstance(outline, Mapping):
        return polygons_to_mask(outline, size)
    mask = decode_rle(outline)
    if mask.shape != tuple(size):
        raise ZooError(f"Run lengths of size {mask.shape} do not fit a picture of {tuple(size)}.")
    return mask


def outline_to_box_frame(outline: Outline, box: Sequence[float], size: int = 112) -> np.ndarray:
    """The mask of an object in the frame of its box, from either kind of COCO's "segmentation".

    Polygons are drawn in the frame itself, at its resolution: nothing is lost to the pixels of
    the picture.

    Args:
        outline: as for `outline_to_mask`.
        box: sequence of float, x1, y1, x2, y2 in pixels of the picture.
        size: int, cells along each side of the frame.

    Returns:
        Array (size, size), bool; nothing where the box is empty.

    Raises:
        ZooError: the outline is broken.

    Example:

    >>> left_half = [[10, 10, 15, 10, 15, 20, 10, 20]]
    >>> outline_to_box_frame(left_half, (10, 10, 20, 20), size=2).tolist()
    [[True, False], [True, False]]
    """
    if isinstance(outline, Mapping):
        return to_box_frame(decode_rle(outline), box, size)
    x1, y1, x2, y2 = (float(v) for v in box)
    if not (x2 > x1 and y2 > y1):
        return np.zeros((size, size), bool)
    shift, scale = np.array([x1, y1]), size / np.array([x2 - x1, y2 - y1])
    framed = [((_points(polygon) - shift) * scale).ravel() for polygon in outline]
    return polygons_to_mask(framed, (size, size))


def polygons_to_mask(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie in any of the polygons.

    A centre is inside a polygon if a ray from it crosses the sides an odd number of times.

    Args:
        polygons: sequence of polygons, each x, y, x, y, … of its corners, in pixels; at least 3
            corners.
        size: tuple of int, (H, W) of the picture in pixels.

    Returns:
        Array (H, W), bool.

    Raises:
        ZooError: a polygon has fewer than 3 corners, half a corner, or one that is not finite.

    Example:

    >>> polygons_to_mask([[1, 0, 3, 0, 3, 2, 1, 2]], (2, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0]])
    """
    mask = np.zeros(size, bool)
    for polygon in polygons:
        mask |= _inside(_points(polygon), *size)
    return mask


def decode_rle(rle: Mapping[str, Any]) -> np.ndarray:
    """The mask of COCO's run lengths, compressed or not.

    Args:
        rle: dict of "size" (H, W) and "counts": lengths of alternating runs of 0 and 1, 0 first,
            down the columns from left to right; as a list, or as COCO's string (`encode_rle`).

    Returns:
        Array (H, W), bool.

    Raises:
        ZooError: keys are missing, the string is broken, or the runs do not fill the picture.

    Example:

    >>> decode_rle({"size": [2, 3], "counts": [2, 2, 2]}).astype(int)
    array([[0, 1, 0],
           [0, 1, 0]])
    """
    lengths = run_lengths(rle)
    height, width = rle["size"]
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(width, height).T


def encode_rle(mask: np.ndarray, compressed: bool = True) -> dict[str, Any]:
    """COCO's run lengths of a mask.

    The string has every length (from the fourth on its difference from the length two before) as
    digits of 5 bits, the lowest first, in two's complement; 32 marks that more digits follow, and
    48 is added to make each a character.

    Args:
        mask: array (H, W), anything but 0 is the object.
        compressed: bool, whether "counts" is COCO's string, or a list of lengths.

    Returns:
        Dict of "size", [H, W], and "counts", str or list of int, ready for JSON.

    Raises:
        ZooError: the mask is not of two axes.

    References:
        - Lin et al., "Microsoft COCO: Common Objects in Context", and the form of its API.

    Example:

    >>> encode_rle(np.array([[0, 1], [0, 1]]), compressed=False)
    {'size': [2, 2], 'counts': [2, 2]}
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ZooError(f"A mask must be of shape (H, W). Received: {mask.shape}")
    flat = mask.T.reshape(-1) != 0
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(ends, prepend=0, append=flat.size)
    if flat.size and flat[0]:
        lengths = np.insert(lengths, 0, 0)
    counts = _to_string(lengths) if compressed else lengths.tolist()
    return {"size": list(mask.shape), "counts": counts}


def run_lengths(rle: Mapping[str, Any]) -> np.ndarray:
    """The checked lengths of the runs.

    Args:
        rle: dict as for `decode_rle`.

    Returns:
        Array of int64.

    Raises:
        ZooError: as `decode_rle`.

    Example:

    >>> run_lengths({"size": [2, 3], "counts": "222"})
    array([2, 2, 2])
    """
    try:
        (height, width), lengths = map(operator.index, rle["size"]), rle["counts"]
        if not isinstance(lengths, str | bytes):
            lengths = np.array(lengths, np.int64).reshape(-1)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ZooError(f"Run lengths need size (H, W) and counts ({error!r}).") from None
    if isinstance(lengths, str | bytes):
        lengths = _from_string(lengths)
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise ZooError(
            f"Run lengths must not be negative, and sum to {height} * {width} pixels. "
            f"Received: sum {lengths.sum()}, least {lengths.min(initial=0)}"
        )
    return lengths


def to_box_frame(mask: np.ndarray, box: Sequence[float], size: int = 112) -> np.ndarray:
    """A mask of the picture in the frame of a box: the cells of which at least half is object.

    Args:
        mask: array (H, W), of the picture; there is no object beyond it.
        box: sequence of float, x1, y1, x2, y2 in pixels of the picture; may leave it.
        size: int, cells along each side of the frame.

    Returns:
        Array (size, size), bool; nothing where the box is empty.

    Example:

    >>> to_box_frame(np.eye(2), (0, 0, 2, 2), size=2).astype(int)
    array([[1, 0],
           [0, 1]])
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    if not (x2 > x1 and y2 > y1):
        return np.zeros((size, size), bool)
    # Linear interpolation of sums is exact: the mask is constant within a pixel.
    sums = np.pad((np.asarray(mask) != 0).cumsum(0, dtype="float64").cumsum(1), ((1, 0), (1, 0)))
    sums = _interpolate(sums, np.linspace(y1, y2, size + 1), 0)
    sums = _interpolate(sums, np.linspace(x1, x2, size + 1), 1)
    areas = np.diff(np.diff(sums, axis=0), axis=1)
    return areas >= 0.5 * (x2 - x1) * (y2 - y1) / size**2


def paste(
    mask: np.ndarray, box: Sequence[float], size: tuple[int, int], threshold: float = 0.5
) -> np.ndarray:
    """The mask of a picture from one in the frame of a box.

    Each pixel whose centre lies in the box takes the value there, bilinear between the centres of
    the mask's cells, and that of the nearest cells along the border: a mask of ones fills its box.

    Args:
        mask: array (m, n), probabilities or 0 and 1, in the frame of the box.
        box: sequence of float, x1, y1, x2, y2 in pixels; may leave the picture.
        size: tuple of int, (H, W) of the picture in pixels.
        threshold: float, the least value that is object.

    Returns:
        Array (H, W), bool; nothing where no pixel's centre lies in the box.

    Raises:
        ZooError: a coordinate is not finite.

    References:
        - He et al., "Mask R-CNN" (arXiv 1703.06870), section 3.1, Inference.

    Example:

    >>> paste(np.ones((28, 28)), (1, 0, 3, 2), (2, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0]])
    """
    height, width = size
    x1, y1, x2, y2 = (float(v) for v in box)
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise ZooError(f"A box must have finite coordinates. Received: {list(box)}")
    result = np.zeros((height, width), bool)
    top, bottom = (min(max(math.ceil(y - 0.5), 0), height) for y in (y1, y2))
    left, right = (min(max(math.ceil(x - 0.5), 0), width) for x in (x1, x2))
    if top < bottom and left < right:
        mask = np.asarray(mask, "float32")
        rows = (np.arange(top, bottom) + 0.5 - y1) * mask.shape[0] / (y2 - y1) - 0.5
        columns = (np.arange(left, right) + 0.5 - x1) * mask.shape[1] / (x2 - x1) - 0.5
        soft = _interpolate(_interpolate(mask, rows, 0), columns, 1)
        result[top:bottom, left:right] = soft >= threshold
    return result


def _interpolate(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """`values` (2-D) at positions along an axis; the ends go on beyond."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = at.astype(int)
    share = np.expand_dims((at - low).astype(values.dtype), 1 - axis)
    below, above = values.take(low, axis), values.take(np.minimum(low + 1, last), axis)
    return below + share * (above - below)


def _points(polygon: Sequence[float]) -> np.ndarray:
    """(corners, 2) float64."""
    values = np.array(polygon, "float64").reshape(-1)
    if len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
        raise ZooError(
            "A polygon must be x, y of at least 3 corners, all finite. "
            f"Received: {len(values)} numbers, {values[:6].tolist()}"
        )
    return values.reshape(-1, 2)


def _inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    x, y = points.T
    x_end, y_end = np.roll(points, -1, axis=0).T
    # The columns whose centres a side passes, the right end left out; then where it does.
    first, stop = (
        np.clip(np.ceil(v - 0.5), 0, width).astype(int)
        for v in (np.minimum(x, x_end), np.maximum(x, x_end))
    )
    side = np.repeat(np.arange(len(points)), stop - first)
    before = np.cumsum(stop - first) - (stop - first)
    column = np.arange(len(side)) + np.repeat(first - before, stop - first)
    slope = (y_end - y)[side] / (x_end - x)[side]
    crossing = y[side] + slope * (column + 0.5 - x[side])
    row = np.clip(np.ceil(crossing - 0.5), 0, height).astype(int)
    crossings = np.bincount(row * width + column, minlength=(height + 1) * width)
    odd = (crossings % 2 == 1).reshape(height + 1, width)[:height]
    return np.logical_xor.accumulate(odd, axis=0)


def _to_string(lengths: np.ndarray) -> str:
    values = lengths.astype("int64")
    values[3:] -= lengths[1:-2]
    place = np.arange(_DIGITS)
    limit = 1 << (5 * place[1:] - 1)
    too_long = (values[:, None] < -limit) | (values[:, None] >= limit)
    more = np.pad(too_long, ((0, 0), (0, 1)))
    codes = ((values[:, None] >> (5 * place)) & 31) + 32 * more + 48
    used = np.pad(too_long, ((0, 0), (1, 0)), constant_values=True)
    return codes[used].astype("uint8").tobytes().decode("ascii")


def _from_string(string: str | bytes) -> np.ndarray:
    data = string.encode("utf-8") if isinstance(string, str) else string
    codes = np.frombuffer(data, "uint8").astype("int64") - 48
    if not len(codes):
        return codes
    last = (codes & 32) == 0
    start = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    digits = np.diff(start, append=len(codes))
    if codes.min() < 0 or codes.max() > 63 or not last[-1] or digits.max() > _DIGITS:
        raise ZooError(f"This is no string of run lengths: {data[:40]!r}")
    place = np.arange(len(codes)) - np.repeat(start, digits)
    values = np.add.reduceat((codes & 31) << (5 * place), start)
    values -= np.where(codes[start + digits - 1] & 16, 1 << (5 * digits), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
