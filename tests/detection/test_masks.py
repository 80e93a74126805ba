"""Polygons, run lengths, box frames and pasting, by hand and against COCO's own program."""

import numpy as np
import pytest

from zoo.detection import read_coco
from zoo.detection.masks import (
    decode_rle,
    encode_rle,
    outline_to_box_frame,
    outline_to_mask,
    paste,
    polygons_to_mask,
    to_box_frame,
)
from zoo.errors import ZooError

pytestmark = pytest.mark.once


def iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


def blob(rng, height, width):
    """A random mask with runs of many lengths."""
    return rng.random((height, width)) < rng.random()


def test_polygon_has_the_pixels_whose_centres_it_holds():
    square = [1.4, 0.6, 3.6, 0.6, 3.6, 2.5, 1.4, 2.5]
    expected = np.zeros((4, 5), bool)
    expected[1:2, 1:4] = True  # the centres at y = 2.5 are on the lower side: not within
    assert (polygons_to_mask([square], (4, 5)) == expected).all()
    assert (polygons_to_mask([square[::-1]], (5, 4)) == expected.T).all()


def test_polygon_against_crossings_counted_one_by_one():
    rng = np.random.default_rng(1)
    for _ in range(20):  # also corners beyond the picture, and sides that cross each other
        points = rng.uniform(-4, 14, (rng.integers(3, 9), 2))
        expected = np.zeros((9, 11), bool)
        for row, column in np.ndindex(9, 11):
            x, y = column + 0.5, row + 0.5
            for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
                if (x0 <= x) != (x1 <= x) and y0 + (y1 - y0) * (x - x0) / (x1 - x0) < y:
                    expected[row, column] ^= True
        assert (polygons_to_mask([points.ravel()], (9, 11)) == expected).all()


def test_polygons_of_one_object_are_united():
    one, two = [0, 0, 3, 0, 3, 3, 0, 3], [2, 2, 5, 2, 5, 5, 2, 5]
    mask = polygons_to_mask([one, two], (5, 5))
    assert mask[2, 2]  # in both
    assert mask.sum() == 9 + 9 - 1
    assert not polygons_to_mask([], (5, 5)).any()


@pytest.mark.parametrize("polygon", [[], [0, 0, 1, 1], [0, 0, 1, 0, 1], [0, 0, 1, 0, 1, np.nan]])
def test_broken_polygon(polygon):
    with pytest.raises(ZooError, match="at least 3 corners"):
        polygons_to_mask([polygon], (5, 5))
    with pytest.raises(ZooError, match="at least 3 corners"):
        outline_to_box_frame([polygon], [0, 0, 5, 5])


def test_run_lengths_by_hand():
    column = np.array([[0, 1, 1, 0, 0, 0, 1]]).T
    assert encode_rle(column, compressed=False) == {"size": [7, 1], "counts": [1, 2, 3, 1]}
    # 1, 2 and 3 as they are; then 1 - 2 = -1, that is 31 in 5 bits.
    assert encode_rle(column) == {"size": [7, 1], "counts": "123" + chr(48 + 31)}
    # 100 = 4 + 3 * 32: two digits, the first marked by 32; no zeros before the object.
    long = np.ones((10, 10))
    assert encode_rle(long)["counts"] == "0" + chr(48 + 32 + 4) + chr(48 + 3)
    assert encode_rle(long, compressed=False)["counts"] == [0, 100]
    # Down the columns first.
    assert encode_rle(np.array([[0, 1], [0, 1]]), compressed=False)["counts"] == [2, 2]


def test_run_lengths_and_back():
    rng = np.random.default_rng(2)
    masks = [blob(rng, *rng.integers(1, 30, 2)) for _ in range(30)]
    masks += [np.zeros((4, 3), bool), np.ones((4, 3), bool), np.zeros((0, 3), bool)]
    sparse = np.zeros((2000, 3000), bool)
    sparse[1999, 2999] = True  # 5,999,999 takes five digits
    for mask in [*masks, sparse]:
        for compressed in (True, False):
            decoded = decode_rle(encode_rle(mask, compressed))
            assert decoded.dtype == bool
            assert decoded.shape == mask.shape
            assert (decoded == mask).all()


@pytest.mark.parametrize(
    ("rle", "words"),
    [
        ({"size": [2, 2]}, "counts"),
        ({"size": [2], "counts": [4]}, "size"),
        ({"size": [2, 2], "counts": ["a"]}, "counts"),
        ({"size": [2, 2], "counts": [3]}, "sum to 2 \\* 2"),
        ({"size": [2, 2], "counts": [5, -1]}, "not be negative"),
        ({"size": [2, 2], "counts": "4T"}, "no string of run lengths"),
        ({"size": [2, 2], "counts": "TTTTTTTTTT4"}, "no string of run lengths"),
        ({"size": [2, 2], "counts": "4 "}, "no string of run lengths"),
        ({"size": [2, 2], "counts": ""}, "sum to 2 \\* 2"),
    ],
)
def test_broken_run_lengths(rle, words):
    with pytest.raises(ZooError, match=words):
        decode_rle(rle)


def test_run_lengths_of_another_picture():
    with pytest.raises(ZooError, match="do not fit"):
        outline_to_mask({"size": [2, 3], "counts": [6]}, (3, 2))


def test_run_lengths_are_those_of_coco():
    api = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(3)
    for _ in range(100):
        mask = blob(rng, *rng.integers(1, 60, 2))
        theirs = api.encode(np.asfortranarray(mask.astype("uint8")))
        assert encode_rle(mask) == {"size": theirs["size"], "counts": theirs["counts"].decode()}
        assert (decode_rle(theirs) == mask).all()  # bytes, as it keeps them


def test_box_frame_has_the_cells_that_are_half_object():
    rng = np.random.default_rng(4)
    for box in ([1, 2, 9, 7], [0.3, 1.2, 4.9, 8.8], [-3, -2, 6, 5], [2.2, 2.2, 2.7, 2.7]):
        mask, cells = blob(rng, 8, 10), 5
        fine = 1000  # points along each side stand for areas
        x = box[0] + (np.arange(fine) + 0.5) * (box[2] - box[0]) / fine
        y = box[1] + (np.arange(fine) + 0.5) * (box[3] - box[1]) / fine
        padded = np.pad(mask, 4)
        values = padded[np.floor(y).astype(int) + 4][:, np.floor(x).astype(int) + 4]
        share = values.reshape(cells, fine // cells, cells, fine // cells).mean((1, 3))
        clear = abs(share - 0.5) > 0.01
        assert clear.mean() > 0.8
        assert (to_box_frame(mask, box, cells) == (share > 0.5))[clear].all()


def test_box_frame_of_polygons_is_their_scaled_picture():
    triangle = [3.0, 4.0, 11.0, 4.0, 3.0, 10.0]
    frame = outline_to_box_frame([triangle], [3, 4, 11, 10], 24)
    assert (frame == polygons_to_mask([[0, 0, 24, 0, 0, 24]], (24, 24))).all()
    run = encode_rle(polygons_to_mask([triangle], (12, 12)))
    assert iou(outline_to_box_frame(run, [3, 4, 11, 10], 24), frame) > 0.85


@pytest.mark.parametrize("box", [[3, 3, 3, 9], [9, 3, 4, 9], [3, np.nan, 4, 9]])
def test_box_frame_of_an_empty_box(box):
    mask = np.ones((10, 10), bool)
    for outline in (encode_rle(mask), [[0, 0, 9, 0, 9, 9]]):
        frame = outline_to_box_frame(outline, box, 6)
        assert frame.shape == (6, 6)
        assert not frame.any()


@pytest.mark.parametrize("cells", [1, 2, 28, 112])
@pytest.mark.parametrize(
    "box", [[2.4, 1.6, 7.5, 6.5], [-5, -5, 30, 3], [4, 4, 5, 5], [8, 7, 90, 9]]
)
def test_pasted_ones_fill_their_box(cells, box):
    expected = np.zeros((8, 10), bool)
    for row, column in np.ndindex(8, 10):
        inside = box[0] <= column + 0.5 < box[2], box[1] <= row + 0.5 < box[3]
        expected[row, column] = all(inside)
    assert (paste(np.ones((cells, cells)), box, (8, 10)) == expected).all()


def test_paste_interpolates_between_centres_of_cells():
    # Cells of 4 pixels with centres at 2 and 6; the value crosses 0.5 at 4, 0.25 at 3.
    mask = np.array([[0.0, 1.0]])
    pasted = paste(mask, [0, 0, 8, 1], (1, 8))
    assert pasted[0].tolist() == [False] * 4 + [True] * 4
    pasted = paste(mask, [0, 0, 8, 1], (1, 8), threshold=0.25)
    assert pasted[0].tolist() == [False] * 3 + [True] * 5


def test_paste_favours_no_side():
    rng = np.random.default_rng(5)
    mask, box, width = rng.random((7, 7)), np.array([3.2, 2.1, 17.9, 15.7]), 23
    pasted = paste(mask, box, (18, width))
    mirrored = [width - box[2], box[1], width - box[0], box[3]]
    assert 0 < pasted.mean() < 1
    assert (paste(mask[:, ::-1], mirrored, (18, width))[:, ::-1] == pasted).all()
    turned = paste(mask.T, box[[1, 0, 3, 2]], (width, 18))
    assert (pasted == turned.T).all()
    moved = paste(mask, box + 2, (20, width + 2))
    assert (moved[2:, 2:] == pasted).all()
    # Off the picture is what a larger picture would have there.
    assert (paste(mask, box - 6, (12, 17)) == pasted[6:, 6:]).all()


def test_whole_pixels_survive_frame_and_paste():
    rng = np.random.default_rng(6)
    mask = np.zeros((20, 24), bool)
    mask[3:17, 5:19] = blob(rng, 14, 14)
    for box in ([5, 3, 19, 17], [0, 0, 24, 20]):
        assert (paste(to_box_frame(mask, box, 112), box, (20, 24)) == mask).mean() > 0.99
    assert (paste(to_box_frame(mask, [5, 3, 19, 17], 112), [5, 3, 19, 17], (20, 24)) == mask).all()


def test_paste_of_broken_boxes():
    assert not paste(np.ones((4, 4)), [3, 3, 3, 9], (10, 10)).any()
    assert not paste(np.ones((4, 4)), [9, 9, 3, 3], (10, 10)).any()
    with pytest.raises(ZooError, match="finite"):
        paste(np.ones((4, 4)), [0, 0, np.inf, 5], (10, 10))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_real_outlines_are_those_of_coco(shared_data, split):
    api = pytest.importorskip("pycocotools.mask")
    overlaps, differing, pixels = [], 0, 0
    for found in list(read_coco(shared_data / "coco_tiny", split))[:25]:
        for outline in found.segmentation:
            theirs = api.frPyObjects(outline, *found.size)
            if isinstance(outline, list):
                theirs = api.merge(theirs)
            expected, mask = api.decode(theirs) != 0, outline_to_mask(outline, found.size)
            if isinstance(outline, dict):
                assert (mask == expected).all()
            overlaps.append(iou(mask, expected))
            differing, pixels = differing + (mask != expected).sum(), pixels + expected.sum()
    # Both round to pixels, by rules that differ where an outline passes close to a centre.
    assert np.mean(overlaps) > 0.98
    assert differing < 0.005 * pixels
