"""From photos to objects in the photos' pixels, in Python and on the console."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.helpers import array
from zoo.checkpoint import Training, load_checkpoint, new_card, save_checkpoint
from zoo.cli import main
from zoo.detection import masks
from zoo.detection.training_arrays import resize_and_pad
from zoo.errors import ImageError, ZooError
from zoo.hub import loading
from zoo.hub.upload import prepare_upload
from zoo.preprocessing import IMAGENET, normalize

ARGS = {
    "input_shape": [64, 128, 3],
    "num_classes": 2,
    "width": 4,
    "fpn_filters": 8,
    "head_units": 8,
    "pre_nms": 40,
    "proposals": 10,
    "detections": 6,
    "score_threshold": 0.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    model = zoo.create("mask_rcnn_plainnet20", **ARGS)
    preprocess = dataclasses.replace(IMAGENET, size=(64, 128), resize=64)
    card = new_card(
        model,
        "mask_rcnn_plainnet20.toy",
        args=ARGS,
        preprocess=preprocess,
        labels=("cat", "dog"),
        training=Training(),
        license="none",
    )
    save_checkpoint(model, folder, card)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load_checkpoint(folder)


@pytest.fixture
def loaded(folder, model, monkeypatch):
    """`zoo.load` of the folder gives the model that is compiled already."""

    def load(name, **options):
        assert (str(name), options) == (str(folder), {})
        return model

    monkeypatch.setattr(loading, "load", load)


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), "uint8") for size in ((50, 90), (130, 70), (64, 128))]


def test_in_the_photos_pixels(model, photos):
    found = zoo.detection.predict(model, photos, threshold=0.0, batch_size=2)
    assert len(found) == 3
    for photo, objects in zip(photos, found, strict=True):
        height, width = photo.shape[:2]
        assert 0 < len(objects["scores"]) <= 6
        assert (np.diff(objects["scores"]) <= 0).all()
        assert (objects["boxes"] >= 0).all()
        assert (objects["boxes"] <= [width, height, width, height]).all()
        assert all(masks.decode_rle(mask).shape == (height, width) for mask in objects["masks"])
    canvas, scale = resize_and_pad(photos[0], (64, 128))
    raw = model.predict_on_batch(normalize(canvas, IMAGENET)[None])
    boxes = np.asarray(raw["boxes"][0]) / np.array([scale[1], scale[0]] * 2)
    expected = np.clip(boxes, 0, [90, 50, 90, 50])
    whole = (expected[:, 2] > expected[:, 0]) & (expected[:, 3] > expected[:, 1])
    whole &= np.asarray(raw["labels"][0]) >= 0
    np.testing.assert_allclose(found[0]["boxes"], expected[whole], atol=1e-3)


def test_one_photo_is_as_in_a_list(model, photos, folder, loaded):
    alone = zoo.detection.predict(str(folder), photos[1], threshold=0.0)
    listed = zoo.detection.predict(model, photos[1:2], threshold=0.0)[0]
    np.testing.assert_allclose(alone["boxes"], listed["boxes"], atol=1e-4)
    assert alone["masks"] == listed["masks"]
    assert zoo.detection.predict(model, []) == []


def test_threshold(model, photos):
    every = zoo.detection.predict(model, photos[0], threshold=0.0)
    middle = float(np.median(every["scores"]))
    some = zoo.detection.predict(model, photos[0], threshold=middle)
    assert len(some["scores"]) == (every["scores"] >= middle).sum() > 0
    assert len(zoo.detection.predict(model, photos[0], threshold=1.1)["scores"]) == 0


def test_ready_for_the_hub(folder, model, tmp_path):
    upload = prepare_upload(folder, tmp_path, "hf://me/street", {})
    assert (
        "as detectors are" in upload.remark
    )  # there is no network of Keras's own layers beside it
    text = (tmp_path / "README.md").read_text()
    assert 'pipeline_tag: "image-segmentation"' in text
    assert "zoo.detection.predict(model" in text
    again = load_checkpoint(tmp_path)
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(array(a), array(b), err_msg=a.path)


def test_refused(model, photos):
    classifier = zoo.create("plainnet20", width=4)
    with pytest.raises(ZooError, match="plainnet20 is no detector"):
        zoo.detection.predict(classifier, photos[0])
    with pytest.raises(ZooError, match=r"is a detector: zoo\.detection\.predict"):
        zoo.predict(model, photos[0])
    with pytest.raises(ZooError, match="batch_size"):
        zoo.detection.predict(model, photos, batch_size=0)
    with pytest.raises(ImageError, match=r"nothing\.png"):
        zoo.detection.predict(model, "nothing.png")
    with pytest.raises(ZooError, match="has no card"):
        zoo.detection.predict(zoo.create("mask_rcnn_plainnet20", **ARGS), photos[0])


def test_console(folder, photos, loaded, tmp_path, capsys):
    path = tmp_path / "street.png"
    Image.fromarray(photos[0]).save(path)
    missing = str(tmp_path / "gone.png")
    call = ["predict", str(folder), str(path), missing, "--threshold", "0"]
    assert main([*call, "--json"]) == 1
    output = capsys.readouterr()
    assert "gone.png" in output.err
    [result] = json.loads(output.out)
    assert result["picture"] == str(tmp_path / "street.objects.png")
    assert {o["label"] for o in result["objects"]} <= {"cat", "dog"}
    drawn = np.asarray(Image.open(result["picture"]))
    assert drawn.shape == photos[0].shape
    assert (drawn != photos[0]).any()
    assert main([*call[:3], "--to", str(tmp_path / "pictures"), "--threshold", "0"]) == 0
    assert f"{len(result['objects'])} objects: " in capsys.readouterr().out
    assert (tmp_path / "pictures" / "street.objects.png").exists()
