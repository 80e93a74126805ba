"""COCO's detections from its own files and from tensorflow-datasets."""

import io
import json
import re

import numpy as np
import pytest
from fake_sets import write_tfds
from PIL import Image

from training.data.coco import UNUSED, read_detections

POLYGON = [[1.0, 2.0, 5.0, 2.0, 5.0, 8.0]]
RUNS = {"counts": [10, 4, 186], "size": [20, 10]}
CATEGORIES = [
    {"id": 90, "name": "brush"},
    {"id": 1, "name": "person"},
    {"id": 13, "name": "?"},
]


def annotation(image, category, box, crowd=0, segmentation=POLYGON):
    return {
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "iscrowd": crowd,
        "area": 7.5,
        "segmentation": segmentation,
    }


def write_coco(folder, pictures="val2017", **changes):
    """Two pictures, one without objects, in the layout of COCO's archives."""
    content = {
        "images": [{"id": 42, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
        "annotations": [
            annotation(42, 90, [1, 2, 4, 6.5]),
            annotation(42, 1, [0, 0, 10, 20], crowd=1, segmentation=RUNS),
        ],
        "categories": CATEGORIES,
        **changes,
    }
    (folder / "annotations").mkdir(parents=True)
    (folder / pictures).mkdir(parents=True)
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(content))
    for name in ("a", "b"):
        Image.new("L", (10, 20), 90).save(folder / pictures / f"{name}.jpg")
    return path


@pytest.mark.parametrize("where", ["coco2017", "coco", "."])
@pytest.mark.parametrize("pictures", ["val2017", "images/val2017"])
def test_own_files(tmp_path, where, pictures):
    write_coco(tmp_path / where, pictures)
    detections = read_detections("coco2017", "validation", tmp_path)
    assert (detections.labels, detections.category_ids) == (
        ("person", "?", "brush"),
        (1, 13, 90),
    )
    first, second = detections
    assert (first.image_id, second.image_id) == (42, 7)
    assert first.boxes.tolist() == [[1, 2, 5, 8.5], [0, 0, 10, 20]]
    assert first.labels.tolist() == [2, 0]
    assert first.crowd.tolist() == [False, True]
    assert first.area.tolist() == [7.5, 7.5]
    assert first.segmentation == (POLYGON, RUNS)
    assert first.pixels().shape == (20, 10, 3)
    assert (second.boxes.shape, second.labels.shape, second.segmentation) == ((0, 4), (0,), ())
    kinds = [a.dtype for a in (second.boxes, second.labels, second.crowd, second.area)]
    assert kinds == [np.float32, np.int64, bool, np.float32]


def test_by_tensorflow_datasets(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (10, 20), (9, 90, 200)).save(file, "JPEG")
    names = [f"kind{i}" for i in range(80)]
    objects = [
        {"bbox": (0.1, 0.2, 0.5, 0.9), "label": 79, "is_crowd": False, "area": 33, "id": 1},
        {"bbox": (0.0, 0.0, 1.0, 1.0), "label": 0, "is_crowd": True, "area": 200, "id": 2},
    ]

    def features(kinds):
        return {
            "image": kinds.Image(encoding_format="jpeg"),
            "image/id": np.int64,
            "objects": kinds.Sequence(
                {
                    "bbox": kinds.BBoxFeature(),
                    "label": kinds.ClassLabel(names=names),
                    "is_crowd": np.bool_,
                    "area": np.int64,
                    "id": np.int64,
                }
            ),
        }

    tfds = pytest.importorskip("tensorflow_datasets")
    objects = [o | {"bbox": tfds.features.BBox(*o["bbox"])} for o in objects]
    rows = [
        {"image": io.BytesIO(file.getvalue()), "image/id": i, "objects": o}
        for i, o in ((7, []), (42, objects))
    ]
    folder = write_tfds(
        tmp_path / "made", "coco", "1.1.0", features, {"validation": rows}, "array_record"
    )
    (tmp_path / "coco").mkdir()
    (folder.parent).rename(tmp_path / "coco" / "2017")
    detections = read_detections("coco2017", "validation", tmp_path)
    assert detections.labels == tuple(names)
    assert len(detections.category_ids) == 80
    assert (detections.category_ids[11], detections.category_ids[-1]) == (13, 90)
    empty, full = sorted(detections, key=lambda detection: len(detection.labels))
    assert (empty.image_id, full.image_id) == (7, 42)
    assert empty.boxes.shape == (0, 4)
    assert np.allclose(full.boxes, [[2, 2, 9, 10], [0, 0, 10, 20]], atol=1e-5)
    assert full.labels.tolist() == [79, 0]
    assert full.crowd.tolist() == [False, True]
    assert full.area.tolist() == [33, 200]
    assert full.segmentation is None
    assert full.pixels().shape == (20, 10, 3)


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'coco2017'"):
        read_detections("coco", "train", tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'validation'"):
        read_detections("coco2017", "valid", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"instances_train2017\.json"):
        read_detections("coco2017", "train", tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": []}'])
def test_broken_annotations(tmp_path, text):
    path = write_coco(tmp_path)
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be decoded")):
        read_detections("coco2017", "validation", tmp_path)


def test_broken_pictures(tmp_path):
    write_coco(tmp_path)
    first, second = read_detections("coco2017", "validation", tmp_path)
    first.image.write_bytes(first.image.read_bytes()[:-200])
    second.image.unlink()
    with pytest.raises(ValueError, match=r"a\.jpg cannot be decoded"):
        first.pixels()
    with pytest.raises(FileNotFoundError, match=r"b\.jpg"):
        second.pixels()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_real_subset(shared_data, split):
    """Boxes are within their pictures, and outlines (where polygons) within their boxes."""
    detections = read_detections("coco2017", split, shared_data / "coco_tiny")
    assert len(detections.labels) == 80
    assert set(range(1, 91)) - set(detections.category_ids) == UNUSED
    labels = np.concatenate([detection.labels for detection in detections])
    assert set(labels.tolist()) == set(range(80))
    for detection in list(detections)[:10]:
        height, width, _ = detection.pixels().shape
        assert (detection.boxes[:, :2] >= -0.01).all()
        assert (detection.boxes[:, 2:] <= np.array([width, height]) + 0.01).all()
        for box, outline in zip(detection.boxes, detection.segmentation, strict=True):
            if isinstance(outline, list):
                points = np.concatenate([np.reshape(p, (-1, 2)) for p in outline])
                assert np.allclose([*points.min(0), *points.max(0)], box, atol=1)
