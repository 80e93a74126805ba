"""Pictures and objects on a canvas, and predictions back in the picture's pixels."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.detection import read_coco
from zoo.detection.masks import decode_rle, encode_rle, outline_to_mask
from zoo.detection.training_arrays import FILL, flip, resize_and_pad, to_arrays, to_original
from zoo.errors import ZooError
from zoo.preprocessing import IMAGENET, normalize

pytestmark = pytest.mark.once


def rectangle(x1, y1, x2, y2):
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def picture(height=30, width=40, boxes=(), crowd=None, segmentation=()):
    """A made picture, black with a white pixel where each box begins."""
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    pixels = np.zeros((height, width, 3), "uint8")
    for x, y in boxes[:, :2].astype(int):
        pixels[y : y + 1, x : x + 1] = 255
    return SimpleNamespace(
        pixels=lambda: pixels,
        boxes=boxes,
        labels=np.arange(len(boxes)),
        crowd=np.zeros(len(boxes), bool) if crowd is None else np.array(crowd),
        segmentation=[rectangle(*b) for b in boxes] if segmentation == () else segmentation,
    )


def test_resize_keeps_proportions_and_pads():
    pixels = np.full((30, 40, 3), 200, "uint8")
    canvas, scale = resize_and_pad(pixels, (64, 64))
    assert canvas.dtype == np.uint8
    assert scale == (1.6, 1.6)
    assert (canvas[:48] == 200).all()
    assert (canvas[48:] == FILL).all()
    canvas, scale = resize_and_pad(pixels[:, :15], (64, 128), fill=(1, 2, 3))
    assert (canvas[:, :32] == 200).all()
    assert (canvas[:, 32:] == (1, 2, 3)).all()
    # What surrounds a picture is about zero to the detector.
    assert abs(normalize(np.array(FILL, "uint8"), IMAGENET)).max() < 0.02


def test_resize_moves_nothing():
    """The centre of mass of a soft spot goes where the scale says, up- and downwards."""
    y, x = np.mgrid[:90, :70]
    spot = np.exp(-((x + 0.5 - 41) ** 2 + (y + 0.5 - 33) ** 2) / 200)
    pixels = np.repeat(np.rint(255 * spot)[..., None], 3, -1).astype("uint8")
    for size in ((45, 64), (128, 192)):
        canvas, scale = resize_and_pad(pixels, size, fill=(0, 0, 0))
        weight = canvas[..., 0] / canvas[..., 0].sum()
        rows, columns = np.indices(size) + 0.5
        assert abs((weight * rows).sum() - 33 * scale[0]) < 0.1
        assert abs((weight * columns).sum() - 41 * scale[1]) < 0.1


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1, 3), (1, 1, 1), (64, 64, 3)])
def test_resize_of_odd_pictures(shape):
    pixels = np.full(shape, 9, "uint8")
    canvas, (rows, columns) = resize_and_pad(pixels, (64, 64))
    assert canvas.shape == (64, 64, 3)
    height, width = round(shape[0] * rows), round(shape[1] * columns)
    assert 1 <= height <= 64
    assert 1 <= width <= 64
    assert (canvas[:height, :width] == 9).all()


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), "uint8"), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "uint8")]
)
def test_resize_of_what_is_no_picture(pixels):
    with pytest.raises(ZooError, match="pixels must be uint8"):
        resize_and_pad(pixels, (64, 64))


def test_bad_canvas():
    with pytest.raises(ZooError, match="at least 1"):
        resize_and_pad(np.zeros((4, 4, 3), "uint8"), (0, 64))


def test_flip_by_hand_and_twice():
    pixels = np.arange(24, dtype="uint8").reshape(2, 4, 3)
    boxes = np.array([[0, 0, 1, 2], [1.5, 0, 4, 1]], "float32")
    masks = np.arange(8).reshape(2, 2, 2)
    turned, mirrored, swapped = flip(pixels, boxes, masks)
    assert (turned[:, 0] == pixels[:, 3]).all()
    assert mirrored.tolist() == [[3, 0, 4, 2], [0, 0, 2.5, 1]]
    assert swapped[0].tolist() == [[1, 0], [3, 2]]
    for twice, once in zip(flip(turned, mirrored, swapped), (pixels, boxes, masks), strict=True):
        assert (twice == once).all()
    assert boxes[0].tolist() == [0, 0, 1, 2]
    assert flip(pixels, boxes)[2] is None


def test_arrays():
    found = picture(30, 40, [[10, 5, 20, 15], [0, 0, 8, 8]], crowd=[False, True])
    found.segmentation[0] = rectangle(10, 5, 15, 15)  # the left half
    arrays = to_arrays(found, (60, 64), max_objects=3, mask_size=8)
    shapes = {key: (value.shape, value.dtype.name) for key, value in arrays.items()}
    assert shapes == {
        "image": ((60, 64, 3), "uint8"),
        "boxes": ((3, 4), "float32"),
        "labels": ((3,), "int32"),
        "crowd": ((3,), "uint8"),
        "masks": ((3, 8, 8), "uint8"),
    }
    assert np.allclose(arrays["boxes"], [[16, 8, 32, 24], [0, 0, 12.8, 12.8], [0, 0, 0, 0]])
    assert arrays["labels"].tolist() == [0, 1, -1]
    assert arrays["crowd"].tolist() == [0, 1, 0]
    assert (arrays["masks"][0] == [[1] * 4 + [0] * 4] * 8).all()
    assert arrays["masks"][1].all()
    assert not arrays["masks"][2].any()
    # The picture has its white pixel where the box begins.
    assert arrays["image"][8:9, 16:17].min() > 100


def test_flipped_arrays_are_those_of_the_mirrored_picture():
    found = picture(30, 40, [[10, 5, 20, 15], [3.5, 0, 8, 8]])
    found.segmentation[0] = rectangle(10, 5, 15, 15)
    mirror = picture(30, 40, [[20, 5, 30, 15], [32, 0, 36.5, 8]])
    mirror.segmentation[0] = rectangle(25, 5, 30, 15)
    mirror.pixels = lambda: found.pixels()[:, ::-1]
    arrays = to_arrays(found, (64, 64), flipped=True)
    for key, value in to_arrays(mirror, (64, 64)).items():
        assert np.allclose(arrays[key], value, atol=1e-4), key


def test_normalized_arrays():
    found = picture()
    arrays = to_arrays(found, (64, 64), preprocess=IMAGENET)
    assert arrays["image"].dtype == np.float32
    expected = normalize(to_arrays(found, (64, 64))["image"], IMAGENET)
    assert (arrays["image"] == expected).all()


def test_no_object():
    for mask_size in (112, None):
        arrays = to_arrays(picture(), (64, 64), mask_size=mask_size)
        assert set(arrays["labels"].tolist()) == {-1}
        assert ("masks" in arrays) == bool(mask_size)
    found = picture(segmentation=None)  # nothing in the whole set has an outline
    assert to_arrays(found, (64, 64))["masks"].shape == (100, 112, 112)


def test_crowd_alone():
    runs = encode_rle(np.eye(30, 40) > 0)
    arrays = to_arrays(picture(boxes=[[0, 0, 30, 30]], crowd=[True], segmentation=[runs]), (64, 64))
    assert arrays["crowd"].tolist() == [1] + [0] * 99
    assert arrays["labels"][0] == 0


def test_object_of_one_pixel():
    arrays = to_arrays(picture(boxes=[[7, 9, 8, 10]]), (64, 64))
    assert np.allclose(arrays["boxes"][0], [11.2, 14.4, 12.8, 16], atol=1e-5)
    assert arrays["masks"][0].all()


def test_boxes_are_clipped_and_empty_ones_left_out():
    boxes = [[-5, -5, 10, 10], [50, 5, 60, 9], [3, 3, 3, 9], [20, 20, 45, 35]]
    arrays = to_arrays(picture(boxes=boxes), (30, 40))
    assert arrays["labels"][:3].tolist() == [0, 3, -1]
    assert arrays["boxes"][:2].tolist() == [[0, 0, 10, 10], [20, 20, 40, 30]]
    assert arrays["masks"][:2].all()  # in the frame of the clipped box


def test_object_without_outline_is_neither_object_nor_background():
    found = picture(boxes=[[1, 1, 9, 9], [5, 5, 20, 20]])
    found.segmentation[0] = None
    assert to_arrays(found, (64, 64))["crowd"][:2].tolist() == [1, 0]
    assert not to_arrays(found, (64, 64), mask_size=None)["crowd"].any()


def test_no_outlines_at_all():
    found = picture(boxes=[[1, 1, 9, 9]], segmentation=None)
    with pytest.raises(ZooError, match=r"model_args\.masks=False.*mask_size=None"):
        to_arrays(found, (64, 64))
    assert to_arrays(found, (64, 64), mask_size=None)["labels"][0] == 0


def test_300_objects_the_largest_stay():
    boxes = [[0, 0, 1 + i % 30, 1 + i % 25] for i in range(300)]
    found = picture(boxes=boxes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            arrays = to_arrays(found, (30, 40), max_objects=50)
    assert len(caught) == 1
    assert "more than 50 objects" in str(caught[0].message)
    areas = found.boxes[:, 2] * found.boxes[:, 3]
    kept = np.isin(np.arange(300), arrays["labels"])
    assert kept.sum() == 50
    assert areas[kept].min() >= areas[~kept].max()
    assert (np.diff(arrays["labels"]) > 0).all()  # in the order of the picture
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (to_arrays(found, (30, 40), max_objects=300)["labels"] == np.arange(300)).all()


def test_predictions_go_back():
    rows = {
        "boxes": np.array([[16, 8, 32, 24], [0, 0, 0, 0], [48, 40, 96, 80], [70, 0, 80, 9]]),
        "scores": np.array([0.9, 0.0, 0.5, 0.4]),
        "labels": np.array([3, -1, 0, 1], "int32"),
        "masks": np.ones((4, 28, 28)),
    }
    rows["masks"][0, :, 14:] = 0.4
    found = to_original(rows, (1.6, 1.6), (30, 40))
    assert found["labels"].tolist() == [3, 0]  # no empty slot, nothing beyond the picture
    assert np.allclose(found["boxes"], [[10, 5, 20, 15], [30, 25, 40, 30]])
    assert np.allclose(found["scores"], [0.9, 0.5])
    first, second = (decode_rle(mask) for mask in found["masks"])
    assert (first == outline_to_mask(rectangle(10, 5, 15, 15), (30, 40))).all()
    assert (second == outline_to_mask(rectangle(30, 25, 40, 30), (30, 40))).all()
    lower = to_original(rows, (1.6, 1.6), (30, 40), mask_threshold=0.3)
    assert decode_rle(lower["masks"][0]).sum() == 100
    assert "masks" not in to_original({k: rows[k] for k in list(rows)[:3]}, (1, 1), (30, 40))


def test_predictions_beyond_the_picture_keep_their_masks():
    """The frame of a mask is the predicted box, of which the picture shows a part."""
    rows = {"boxes": [[-10, 0, 10, 20]], "scores": [1], "labels": [0]}
    mask = np.zeros((1, 28, 28))
    mask[0, :, 21:] = 1  # the right quarter: columns 5 to 10
    found = to_original(rows | {"masks": mask}, (1, 1), (20, 20))
    assert found["boxes"].tolist() == [[0, 0, 10, 20]]
    assert np.flatnonzero(decode_rle(found["masks"][0]).any(0)).tolist() == [5, 6, 7, 8, 9]


def test_predictions_that_are_not_finite():
    rows = {"boxes": [[0, 0, np.nan, 5]], "scores": [1], "labels": [0]}
    with pytest.raises(ZooError, match="finite"):
        to_original(rows, (1, 1), (20, 20))


@pytest.mark.parametrize(("split", "flipped"), [("train", False), ("validation", True)])
def test_real_objects_survive(shared_data, split, flipped):
    """Box to a hundredth of a pixel, mask IoU 0.98 on average, over 0.8 for each: the worst are
    crowds wider than the frame's 112 cells with parts as thin as one of them, and objects of
    about 20 pixels in all."""
    overlaps = []
    for found in list(read_coco(shared_data / "coco_tiny", split))[:40]:
        size = (256, 320)
        arrays = to_arrays(found, size, flipped=flipped)
        rows = {key: arrays[key] for key in ("boxes", "labels", "masks")}
        _, scale = resize_and_pad(np.zeros((*found.size, 3), "uint8"), size)
        if flipped:
            width = np.zeros((1, round(found.size[1] * scale[1]), 1))
            _, rows["boxes"], rows["masks"] = flip(width, rows["boxes"], rows["masks"])
        back = to_original(rows | {"scores": np.ones(100)}, scale, found.size)
        assert back["labels"].tolist() == found.labels.tolist()
        assert np.allclose(back["boxes"], found.boxes, atol=0.01)
        for outline, mask in zip(found.segmentation, back["masks"], strict=True):
            expected, got = outline_to_mask(outline, found.size), decode_rle(mask)
            overlaps.append((expected & got).sum() / max((expected | got).sum(), 1))
    assert len(overlaps) > 200
    assert np.mean(overlaps) > 0.98
    assert np.min(overlaps) > 0.8
