"""A digest tells examples apart, wherever they lie."""

import dataclasses

import numpy as np
import pytest

from training.data import Images
from training.data.digest import of_images, of_photos
from training.data.pictures import Pictures
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.problems import Problems

pytestmark = pytest.mark.once


def test_images(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (6, 3, 2, 1), "uint8")
    y = np.array([0, 1, 0, 1, 0, 1])
    digest = of_images(Images(x, y, ("a", "b")))
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for same in (mapped, x[::-1][::-1], np.asfortranarray(x)):
        assert of_images(Images(same, y.astype("int32"), ("a", "b"))) == digest
    changed = x.copy()
    changed[3, 1, 1] ^= 1
    others = [(changed, y), (x[::-1], y), (x, 1 - y), (x[:-1], y[:-1])]
    assert len({digest, *(of_images(Images(*other, ("a", "b"))) for other in others)}) == 5


def test_encoded_pictures():
    files, y = [b"one", b"two"], np.array([0, 1])
    digests = {of_images(Images(Pictures(f), y, ("a", "b"))) for f in (files, [b"one", b"six"])}
    assert len(digests) == 2


def photo(**changes) -> AnnotatedImage:
    one = AnnotatedImage(
        image_id=1,
        image=b"a photo",
        size=(8, 8),
        boxes=np.array([[1, 1, 5, 5]], "float32"),
        labels=np.array([0]),
        crowd=np.array([False]),
        area=np.array([16], "float32"),
        segmentation=None,
    )
    return dataclasses.replace(one, **changes)


def test_photos(tmp_path):
    def digest(one: AnnotatedImage) -> str:
        return of_photos(AnnotatedImages(lambda row: row, [one], ("dog",), (7,), Problems("x")))

    (tmp_path / "1.jpg").write_bytes(b"a photo")
    assert digest(photo()) == digest(photo())
    others = [
        {"boxes": np.array([[1, 1, 5, 6]], "float32")},
        {"labels": np.array([1])},
        {"image": b"another one"},
        {"image": tmp_path / "1.jpg"},
    ]
    assert len({digest(photo(**changes)) for changes in [{}, *others]}) == 5
