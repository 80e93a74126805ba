"""Sets of COCO's format in any folder, and what is wrong with them."""

import json
import warnings

import numpy as np
import pytest

from tests.support.coco_folder import CATEGORIES, annotation, write_coco, write_folder
from zoo.checkpoint.schema import is_text
from zoo.detection import read_coco, to_arrays
from zoo.detection.masks import encode_rle
from zoo.errors import ZooError

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


def test_flaws_are_reported_and_the_rest_goes_on(tmp_path):
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
    with pytest.warns(UserWarning, match="has problems") as caught:
        [found] = detections = read_coco(tmp_path, "validation")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    expected = [[1, 1, 5, 5], [1, 1, 5, 5.5], *[[1, 1, 5, 5]] * 4, [0, 1, 4, 20]]
    assert found.boxes.tolist() == [*expected, [-0.5, 0, np.float32(10.1), np.float32(20.9)]]
    assert found.segmentation == (square, *[None] * 5, square, square)
    assert found.labels.tolist() == [2] * 8
    kinds = {kind: len(places) for kind, places in detections.problems.places.items()}
    assert kinds == {
        f"picture that is missing in {path.parent.parent / 'val2017'}, left out": 1,
        "picture whose id is taken, left out": 1,
        "picture without whole id or file_name, left out": 1,
        "picture that cannot be opened, left out": 1,
        "object without usable outline, not learned where masks are learned": 5,
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
    for folder, words in (("one", "picture 1: lost.jpg"), ("two", "77")):
        with pytest.raises(ValueError, match="nothing that can be used") as error:
            read_coco(tmp_path / folder, "validation")
        assert words in str(error.value)


def test_categories_of_one_number(tmp_path):
    write_coco(tmp_path, categories=[*CATEGORIES, {"id": 13, "name": "again"}])
    with pytest.raises(ValueError, match="several categories of one id"):
        read_coco(tmp_path, "validation")


def read_objects(tmp_path, *annotations, **changes):
    """The one picture of a set, 20 x 10 pixels, and the reader's notes."""
    rows = [{"id": i, "image_id": 42, "category_id": 1, **a} for i, a in enumerate(annotations)]
    images = [{"id": 42, "file_name": "a.jpg", "height": 20, "width": 10}]
    write_coco(tmp_path, **{"images": images, "annotations": rows, **changes})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [image] = images = read_coco(tmp_path, "validation")
    return image, dict(images.problems.places)


SQUARE = [1, 1, 5, 1, 5, 5, 1, 5]


def test_of_an_outline_only_the_broken_part_goes(tmp_path):
    parts = [SQUARE, [1, 1, 2, 2], [0, 0, 2, 0, None, 2]]
    image, places = read_objects(tmp_path, {"bbox": [1, 1, 4, 4], "segmentation": parts})
    assert image.segmentation == ([SQUARE],)
    assert places == {
        "part of an outline that cannot be used, left out": [
            "annotation 0 (picture 42): a polygon without 3 corners",
            "annotation 0 (picture 42): a corner that is not finite",
        ]
    }
    arrays = to_arrays(image, (64, 64), mask_size=8)
    assert arrays["crowd"][0] == 0  # an object to learn
    assert arrays["masks"][0].all()


def test_what_is_not_learned_is_counted(tmp_path):
    whole = {"bbox": [1, 1, 4, 4], "segmentation": [SQUARE]}
    image, places = read_objects(tmp_path, whole, {"bbox": [2, 2, 4, 4]})
    assert places == {
        "object without usable outline, not learned where masks are learned": [
            "annotation 1 (picture 42): there is none"
        ]
    }
    assert to_arrays(image, (64, 64))["crowd"][:2].tolist() == [0, 1]


def test_outlines_that_are_all_broken_are_none(tmp_path):
    image, places = read_objects(tmp_path, {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1]]})
    assert image.segmentation is None
    assert sum(map(len, places.values())) == 1
    with pytest.raises(ZooError, match=r"model_args\.masks=False"):
        to_arrays(image, (64, 64))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"area": [0]}, "area that is no number"),
        ({"area": "12"}, "area that is no number"),
        ({"area": None}, ""),
        ({"iscrowd": "no"}, "iscrowd that is neither 0 nor 1"),
        ({"iscrowd": "0"}, ""),
        ({"id": None}, ""),
        ({"image_id": "42"}, ""),
        ({"category_id": 1.0}, ""),
        ({"segmentation": {"size": ["a", None], "counts": "é"}}, "object without usable outline"),
        ({"segmentation": 7}, "object without usable outline"),
    ],
)
def test_a_bad_value_costs_no_object(tmp_path, changes, kind):
    other = {"bbox": [2, 2, 3, 3], "area": 5, "segmentation": [SQUARE]}
    first = {"bbox": [1, 1, 4, 4], "segmentation": [SQUARE], **changes}
    image, places = read_objects(tmp_path, first, other)
    assert (image.area.tolist(), image.crowd.tolist()) == ([16, 5], [False, False])
    assert [k.partition(",")[0] for k in places] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"image_id": [42]}, "object of a picture that is not listed, left out"),
        ({"image_id": "street"}, "object of a picture that is not listed, left out"),
        ({"category_id": {}}, "object of an unknown category, left out"),
        ({"bbox": [1, 1, None, 4]}, "box that is not four finite numbers, left out"),
        ({"bbox": [1, 1, 10**400, 4]}, "box that is not four finite numbers, left out"),
        ({"bbox": None}, "object without a needed key, left out"),
        ({"bbox": None, "segmentation": [[1]]}, "object without box or usable outline, left out"),
    ],
)
def test_a_bad_value_costs_its_object_alone(tmp_path, changes, kind):
    image, places = read_objects(
        tmp_path, {"bbox": [1, 1, 4, 4], **changes}, {"bbox": [2, 2, 3, 3]}
    )
    assert image.boxes.tolist() == [[2, 2, 5, 5]]
    assert [place.partition(":")[0] for place in places[kind]] == [
        f"annotation 0 (picture {changes.get('image_id', 42)})"
    ]


def test_entries_of_no_kind(tmp_path):
    images = [None, {"id": "x", "file_name": "a.jpg"}, {"id": 42, "file_name": "a.jpg"}]
    categories = [7, {"id": 1, "name": "person"}, {"id": None, "name": "?"}, {"id": 3}]
    image, places = read_objects(
        tmp_path, {"bbox": [1, 1, 4, 4]}, images=images, categories=categories
    )
    assert image.size == (20, 10)
    assert places == {
        "entry that is no object, left out": [
            "entry 0 of images: None",
            "entry 0 of categories: 7",
        ],
        "category without whole id or name, left out": [
            "entry 1 of categories: None, '?'",
            "entry 2 of categories: 3, None",
        ],
        "picture without whole id or file_name, left out": ["entry 0 of images: 'x', 'a.jpg'"],
    }


@pytest.mark.parametrize(
    ("outline", "box"),
    [
        ([[2, 3, 6, 3, 6, 11], [1, 4, 2, 4, 2, 5]], [1, 3, 6, 11]),
        (encode_rle(np.pad(np.ones((4, 3)), ((2, 14), (5, 2)))), [5, 2, 8, 6]),
    ],
)
def test_a_missing_box_is_that_of_the_outline(tmp_path, outline, box):
    image, places = read_objects(tmp_path, {"segmentation": outline})
    assert image.boxes.tolist() == [box]
    assert list(places) == ["object without box, that of its outline taken"]


def test_names_written_on_windows_and_a_byte_order_mark(tmp_path):
    write_folder(tmp_path, "train.json", ".", "sub/a.jpg")
    path = tmp_path / "train.json"
    text = path.read_text().replace("sub/a.jpg", "sub\\\\a.jpg")
    path.write_text(text, "utf-8-sig")
    [image] = images = read_coco(tmp_path)
    assert image.image == tmp_path / "sub" / "a.jpg"
    assert not images.problems


def test_names_of_categories_are_clean(tmp_path):
    names = [" pear\r\n", "red\tplum", "Žluť 🍏", "a  b"]
    categories = [{"id": i, "name": name} for i, name in enumerate(names, start=1)]
    write_folder(tmp_path, "train.json", ".", categories=categories, annotations=[])
    with pytest.warns(UserWarning, match=r"2 x name with control characters"):
        images = read_coco(tmp_path)
    assert images.labels == ("pear", "red plum", "Žluť 🍏", "a  b")
    every = "".join(map(chr, range(0x3000))) + "\ud800\ufeff"
    path = tmp_path / "train.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"categories": [{"id": 1, "name": every}]})
    )
    with pytest.warns(UserWarning, match="name with control characters"):
        [label] = read_coco(tmp_path).labels
    assert is_text(label)  # what a card takes


def test_one_name_of_several_categories(tmp_path):
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "dog "}, {"id": 3, "name": "cat"}]
    write_folder(tmp_path, "train.json", ".", categories=categories, annotations=[])
    with pytest.warns(UserWarning, match="2 x name of 2 categories"):
        assert read_coco(tmp_path).labels == ("dog", "dog", "cat")
