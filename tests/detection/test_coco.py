"""COCO's detections from its own files and from tensorflow-datasets."""

import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.support.coco_folder import POLYGON, RUNS, annotation, write_coco, write_folder
from tests.support.fake_sets import write_tfds
from training.data.coco import UNUSED, read_detections
from zoo.detection import read_coco
from zoo.errors import ZooError
from zoo.images import read_image

pytestmark = pytest.mark.once


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
    assert first.pixels().shape == (*first.size, 3) == (20, 10, 3)
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
    assert full.pixels().shape == (*full.size, 3) == (20, 10, 3)


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'coco2017'"):
        read_detections("coco", "train", tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'validation'"):
        read_detections("coco2017", "valid", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"instances_train2017\.json"):
        read_detections("coco2017", "train", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be decoded"),
        ("{", "cannot be decoded"),
        ("[]", "is not in COCO's format"),
        ('{"images": []}', "is not in COCO's format"),
    ],
)
def test_broken_annotations(tmp_path, text, words):
    path = write_coco(tmp_path)
    path.write_text(text)
    with pytest.raises(ZooError, match=re.escape(f"{path} {words}")):
        read_detections("coco2017", "validation", tmp_path)


def test_broken_pictures(tmp_path):
    write_coco(tmp_path)
    first, second = read_detections("coco2017", "validation", tmp_path)
    first.image.write_bytes(first.image.read_bytes()[:-200])
    second.image.unlink()
    with pytest.raises(ZooError, match=r"picture 42: .*a\.jpg cannot be decoded"):
        first.pixels()
    with pytest.raises(ZooError, match=r"picture 7: There is no file .*b\.jpg"):
        second.pixels()


def test_pictures_that_cannot_be_read_are_left_out(tmp_path):
    images = [
        {"id": i, "file_name": f"{name}.jpg", "height": 20, "width": 10}
        for i, name in enumerate("abcd")
    ]
    write_coco(tmp_path, images=images, annotations=[annotation(1, 1, [1, 1, 3, 3])])
    pictures = tmp_path / "val2017"
    for name, size in (("c", (20, 10)), ("d", (10, 20))):
        Image.new("L", size, 90).save(pictures / f"{name}.jpg")
    (pictures / "a.jpg").write_bytes(b"no picture")
    detections = read_detections("coco2017", "validation", tmp_path)
    assert (len(detections), len(detections.problems)) == (4, 0)  # nothing was decoded yet
    with pytest.warns(UserWarning, match=r"2 x picture that cannot be read, left out") as caught:
        readable = detections.readable(threads=2)
    assert "picture 0: " in str(caught[0].message)
    assert "picture 2, " in str(caught[0].message)
    assert "(10, 20) pixels (height, width), but its annotations are of (20, 10)" in str(
        caught[0].message
    )
    assert [found.image_id for found in readable] == [1, 3]
    assert readable[0].boxes.tolist() == [[1, 1, 4, 4]]
    assert readable.category_ids == detections.category_ids
    assert len(readable.problems) == 2
    for path in pictures.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="No picture can be read"):
        readable.readable()


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


def write_photo(folder, orientation, size, name="a.jpg"):
    """A set of one photo of 20 x 10 pixels as stored, white in the first quarter of its rows."""
    pixels = np.zeros((20, 10, 3), "uint8")
    pixels[:5] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    height, width = size
    images = [{"id": 3, "file_name": name, "height": height, "width": width}]
    write_folder(folder, "train.json", "train", name, images=images)
    Image.fromarray(pixels).save(folder / "train" / name, quality=95, exif=exif)


@pytest.mark.parametrize(("orientation", "size"), [(3, (20, 10)), (6, (10, 20)), (8, (10, 20))])
def test_pictures_are_upright_as_in_prediction(tmp_path, orientation, size):
    write_photo(tmp_path, orientation, size)
    with pytest.warns(UserWarning, match=f"a.jpg: EXIF orientation {orientation}"):
        [image] = images = read_coco(tmp_path).readable()
    assert image.orientation() == orientation
    assert list(images.problems.places) == [
        "picture turned upright, to which its boxes must belong"
    ]
    assert image.size == size
    np.testing.assert_array_equal(image.pixels(), read_image(image.image))
    white = {3: np.s_[15:], 6: np.s_[:, 15:], 8: np.s_[:, :5]}[orientation]
    assert image.pixels()[white].mean() > 250
    assert image.pixels().mean() < 80
    in_memory = dataclasses.replace(image, image=image.image.read_bytes())
    np.testing.assert_array_equal(in_memory.pixels(), image.pixels())


def test_sizes_of_pictures_as_stored_are_refused_with_the_orientation(tmp_path):
    write_photo(tmp_path, 6, (20, 10))
    images = read_coco(tmp_path)
    with pytest.raises(
        ZooError, match=r"EXIF orientation 6, but its annotations are of \(20, 10\)"
    ):
        images[0].pixels()
    with pytest.raises(ZooError, match=r"(?s)No picture can be read.*remove the orientation"):
        images.readable()
    write_folder(tmp_path / "open", "train.json", "train", images=[{"id": 3, "file_name": "a.jpg"}])
    write_photo(tmp_path / "photo", 6, (20, 10))
    (tmp_path / "photo/train/a.jpg").replace(tmp_path / "open/train/a.jpg")
    assert read_coco(tmp_path / "open")[0].size == (10, 20)  # no size stated: that of the upright
