"""Sets of COCO's format in any folder, and what is wrong with them."""

import numpy as np
import pytest

from tests.support.coco_folder import CATEGORIES, annotation, write_coco, write_folder
from zoo.detection import read_coco

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("file", "pictures", "name"),
    [
        ("annotations/instances_train2017.json", "train2017", "a.jpg"),
        ("annotations/train.json", "images/train", "sub/a.jpg"),
        ("annotations/instances_train.json", "images", "a.jpg"),
        ("train.json", "train", "a.jpg"),
        ("train.json", ".", "train/a.jpg"),
        ("train/_annotations.coco.json", "train", "a.jpg"),
        ("result.json", "images", "a.jpg"),
        ("labels.json", ".", "a.jpg"),
    ],
)
def test_any_folder(tmp_path, file, pictures, name):
    write_folder(tmp_path, file, pictures, name)
    [found] = detections = read_coco(tmp_path, "train")
    assert (detections.labels, detections.category_ids) == (("pear",), (4,))
    assert found.pixels().shape == (*found.size, 3) == (20, 10, 3)
    assert found.boxes.tolist() == [[1, 2, 5, 8]]
    assert (found.crowd.tolist(), found.area.tolist()) == ([False], [24])
    assert found.segmentation is None  # of no object of the set
    assert not detections.problems
    with pytest.raises(FileNotFoundError, match=f"no annotations for validation.*{file}"):
        read_coco(tmp_path, "validation")


@pytest.mark.parametrize("word", ["val", "valid", "validation2017"])
def test_both_splits_of_a_folder(tmp_path, word):
    write_folder(tmp_path, "annotations/instances_train.json", "train")
    write_folder(tmp_path, f"annotations/instances_{word}.json", word, "b.jpg", annotations=[])
    (tmp_path / "annotations" / f"captions_{word}.json").write_text("{}")
    [train] = read_coco(tmp_path, "train")
    [validation] = read_coco(tmp_path, "validation")
    assert (train.image.name, validation.image.name) == ("a.jpg", "b.jpg")
    assert (len(train.labels), len(validation.labels)) == (1, 0)


def test_folder_that_is_ambiguous_or_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="Found: no JSON file"):
        read_coco(tmp_path, "train")
    write_folder(tmp_path, "train.json", "train")
    write_folder(tmp_path, "annotations/train_new.json", "train")
    with pytest.raises(ValueError, match=r"several.*annotations/train_new\.json, train\.json"):
        read_coco(tmp_path, "train")


def test_flaws_are_told_and_the_rest_goes_on(tmp_path):
    images = [
        {"id": 1, "file_name": "a.jpg", "height": 20, "width": 10},
        {"id": 2, "file_name": "lost.jpg", "height": 20, "width": 10},
        {"id": 1, "file_name": "b.jpg", "height": 20, "width": 10},
        {"file_name": "b.jpg"},
        {"id": 5, "file_name": "broken.jpg"},
    ]
    nan = float("nan")
    square = [[1, 1, 5, 1, 5, 5, 1, 5]]
    short = {"counts": [3], "size": [20, 10]}
    turned = {"counts": [200], "size": [10, 20]}
    rows = [  # category, box, outline
        (90, [1, 1, 4, 4], square),  # 0: right
        (90, [1, 1, 4, 4.5], None),  # 1 to 5: no outline, or a broken one
        (90, [1, 1, 4, 4], [[1, 1, 2, 2]]),
        (90, [1, 1, 4, 4], [[1, 1, 2, 2, nan, 3]]),
        (90, [1, 1, 4, 4], short),
        (90, [1, 1, 4, 4], turned),
        (77, [1, 1, 4, 4], square),  # 6: unknown category
        (90, [1, 1, 0, 4], square),  # 7, 8: no area
        (90, [1, 1, 4, -4], square),
        (90, [11, 1, 4, 4], square),  # 9, 10: outside
        (90, [1, -9, 4, 5], square),
        (90, [-5, 1, 9, 40], square),  # 11: partly
        (90, [-0.5, 0, 10.6, 20.9], square),  # 12: by rounding
        (90, [1, 1, 4], square),  # 13 to 15: no box
        (90, [1, 1, 4, nan], square),
        (90, "1 1 4 4", square),
    ]
    annotations = [
        {"id": 100 + i, "image_id": 1, "category_id": c, "bbox": box, "segmentation": outline}
        for i, (c, box, outline) in enumerate(rows)
    ]
    annotations += [
        {"id": 116, "image_id": 99, "category_id": 90, "bbox": [1, 1, 4, 4]},
        {"id": 117, "image_id": 2, "category_id": 90, "bbox": [1, 1, 4, 4]},
        {"image_id": 1, "bbox": [1, 1, 4, 4]},
    ]
    path = write_coco(tmp_path, images=images, annotations=annotations)
    (tmp_path / "val2017" / "broken.jpg").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="has problems") as told:
        [found] = detections = read_coco(tmp_path, "validation")
    assert len(told) == 1
    assert told[0].filename == __file__
    expected = [[1, 1, 5, 5], [1, 1, 5, 5.5], *[[1, 1, 5, 5]] * 4, [0, 1, 4, 20]]
    assert found.boxes.tolist() == [*expected, [-0.5, 0, np.float32(10.1), np.float32(20.9)]]
    assert found.segmentation == (square, *[None] * 5, square, square)
    assert found.labels.tolist() == [2] * 8
    kinds = {kind: len(places) for kind, places in detections.problems.found.items()}
    assert kinds == {
        f"picture that is missing in {path.parent.parent / 'val2017'}, left out": 1,
        "picture whose id was given before, left out": 1,
        "picture without id or file_name, left out": 1,
        "picture that cannot be opened, left out": 1,
        "object whose outline cannot be used, taken without": 5,
        "object of an unknown category, left out": 1,
        "box of zero area, left out": 2,
        "box outside its picture, left out": 2,
        "box that leaves its picture, clipped": 1,
        "box that is not four finite numbers, left out": 3,
        "object of a picture that is not listed, left out": 1,
        "object without a needed key, left out": 1,
    }
    text = str(detections.problems)
    assert str(path) in text
    for place in (
        "picture 2: lost.jpg",
        "picture 5: broken.jpg",
        "annotation 106 (picture 1): 77",
        "annotation 109 (picture 1): [11, 1, 4, 4] in 10 x 20 pixels",
        "annotation 116 (picture 99)",
        "entry 18 of annotations (picture 1): category_id",
        "; and 2 more",
    ):
        assert place in text


def test_nothing_left(tmp_path):
    lost = [{"id": 1, "file_name": "lost.jpg", "height": 20, "width": 10}]
    write_coco(tmp_path / "one", images=lost)
    write_coco(tmp_path / "two", annotations=[annotation(42, 77, [1, 1, 3, 3])])
    for folder, told in (("one", "picture 1: lost.jpg"), ("two", "77")):
        with pytest.raises(ValueError, match="nothing that can be used") as error:
            read_coco(tmp_path / folder, "validation")
        assert told in str(error.value)


def test_categories_of_one_number(tmp_path):
    write_coco(tmp_path, categories=[*CATEGORIES, {"id": 13, "name": "again"}])
    with pytest.raises(ValueError, match="several categories of one id"):
        read_coco(tmp_path, "validation")
