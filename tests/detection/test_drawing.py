"""Objects drawn on pictures."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from zoo.detection import read_coco
from zoo.detection.drawing import OPACITY, colour, draw
from zoo.detection.masks import encode_rle
from zoo.errors import ZooError

pytestmark = pytest.mark.once

LABELS = ("cat", "dog", "cow")
GREY = np.full((120, 160, 3), 100, "uint8")


def found(**changes):
    mask = np.zeros((120, 160), bool)
    mask[40:100, 30:90] = True
    return {
        "boxes": np.array([[30, 40, 90, 100]], "float32"),
        "labels": np.array([1]),
        "scores": np.array([0.87]),
        "masks": [encode_rle(mask)],
        **changes,
    }


def test_box_and_mask():
    picture = draw(GREY, found(), LABELS)
    assert (picture.mode, picture.size) == ("RGB", (160, 120))
    pixels = np.asarray(picture).astype(int)
    for row, column in ((40, 60), (99, 60), (70, 30), (70, 89)):  # the box's first and last pixels
        assert tuple(pixels[row, column]) == colour(1)
    tinted = np.rint((1 - OPACITY) * 100 + OPACITY * np.array(colour(1)))
    assert (pixels[45:95, 35:85] == tinted).all()
    assert (pixels[101:] == 100).all()
    assert (pixels[45:, 91:] == 100).all()
    # The label is above, of the class's colour with letters in another.
    strip = pixels[:40]
    assert (strip == colour(1)).all(-1).sum() > 100
    assert (strip < 60).all(-1).any() or (strip > 200).all(-1).any()
    assert (GREY == 100).all()


def test_threshold():
    assert (np.asarray(draw(GREY, found(), LABELS, threshold=0.9)) == 100).all()
    assert (np.asarray(draw(GREY, found(), LABELS, threshold=0.87)) != 100).any()
    assert (np.asarray(draw(GREY, found(scores=np.array([np.nan])), LABELS)) == 100).all()
    assert (np.asarray(draw(GREY, found(labels=np.array([-1])), LABELS)) == 100).all()


def test_mask_forms_are_drawn_alike():
    array = np.zeros((120, 160), bool)
    array[40:100, 30:90] = True
    polygon = [[30, 40, 90, 40, 90, 100, 30, 100]]
    expected = np.asarray(draw(GREY, found(), LABELS))
    for mask in (array, polygon):
        assert (np.asarray(draw(GREY, found(masks=[mask]), LABELS)) == expected).all()
    boxes = np.asarray(draw(GREY, found(masks=None), LABELS))
    assert (boxes[45:95, 35:85] == 100).all()
    assert (boxes[40, 30:90] == colour(1)).all()


def test_small_objects_are_in_front():
    boxes = np.array([[70, 70, 80, 80], [10, 30, 150, 110]], "float32")
    both = {"boxes": boxes, "labels": [0, 2], "masks": [np.zeros((120, 160), bool)] * 2}
    for (x1, y1, x2, y2), mask in zip(boxes.astype(int), (0, 1), strict=True):
        both["masks"][mask] = np.zeros((120, 160), bool)
        both["masks"][mask][y1:y2, x1:x2] = True
    pixels = np.asarray(draw(GREY, both, LABELS))
    assert tuple(pixels[70, 75]) == colour(0)


def test_ground_truth():
    truth = SimpleNamespace(
        boxes=np.array([[30, 40, 90, 100]], "float32"),
        labels=np.array([1]),
        crowd=np.array([False]),
        segmentation=([[30, 40, 90, 40, 90, 100, 30, 100]],),
    )
    pixels = np.asarray(draw(GREY, truth, LABELS))
    assert (pixels[40:100, 30:90] == np.asarray(draw(GREY, found(), LABELS))[40:100, 30:90]).all()
    truth.crowd[0] = True
    assert (np.asarray(draw(GREY, truth, LABELS)) != pixels).any()  # says so
    truth.segmentation = None
    assert (np.asarray(draw(GREY, truth, LABELS))[45:95, 35:85] == 100).all()


@pytest.mark.parametrize(
    "box", [[-9, -9, 400, 400], [150, 110, 170, 130], [200, 200, 300, 300], [5, 5, 5, 5]]
)
@pytest.mark.parametrize("size", [(120, 160), (1, 1), (3, 300), (900, 20)])
def test_boxes_anywhere_and_pictures_of_any_size(box, size):
    picture = draw(
        np.zeros((*size, 1), "uint8"), {"boxes": [box], "labels": [0], "scores": [1.0]}, ["x" * 40]
    )
    assert picture.size == size[::-1]


def test_nothing_to_draw():
    none = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, int), "scores": np.zeros(0)}
    assert (np.asarray(draw(GREY, none, LABELS)) == GREY).all()


def test_colours():
    colours = np.array([colour(i) for i in range(80)])
    distance = abs(colours[:, None] - colours[None]).sum(-1) + 999 * np.eye(80, dtype=int)
    assert distance.min() > 10
    assert distance[range(79), range(1, 80)].min() > 100  # neighbours: often together


def test_bad_input():
    with pytest.raises(ZooError, match="Label 3 has no name; there are 3 names"):
        draw(GREY, found(labels=np.array([3])), LABELS)
    with pytest.raises(ZooError, match="picture's size"):
        draw(GREY, found(masks=[np.ones((5, 5), bool)]), LABELS)
    with pytest.raises(ZooError, match="do not fit"):
        draw(GREY, found(masks=[encode_rle(np.ones((5, 5)))]), LABELS)
    with pytest.raises(ZooError, match="no file"):
        draw("missing.jpg", found(), LABELS)


def test_photo(shared_data, tmp_path):
    detections = read_coco(shared_data / "coco_tiny", "validation")
    detection = max(list(detections)[:20], key=lambda found: len(found.labels))
    picture = draw(detection.pixels(), detection, detections.labels)
    picture.save(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as again:
        changed = (np.asarray(again) != detection.pixels()).any(-1)
    assert 0.02 < changed.mean() < 1
