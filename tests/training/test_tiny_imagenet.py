"""The reader of Tiny ImageNet, on a small set of the same layout."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.fake_sets import content
from training.data import DATASETS, read, tiny_imagenet
from training.data.pictures import DRAWS, Pictures, resized_crops
from zoo.errors import ZooError

pytestmark = pytest.mark.once

CLASSES = {"n00000002": "tabby cat", "n00000009": "goldfish"}
COUNT = 3  # training photos of a class, in files whose names sort otherwise than their numbers


def save(path: Path, value: int, mode: str = "RGB", size=(64, 64)) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 20, 200)).save(path, "JPEG")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The official layout: one photo of the first class is grey, and there are no box files."""
    root = tmp_path / tiny_imagenet.FOLDER
    train, test = [], []
    for label, synset in enumerate(CLASSES):
        for number in (2, 10, 11)[:COUNT]:
            path = root / "train" / synset / "images" / f"{synset}_{number}.JPEG"
            train.append(save(path, 10 * number + label, "L" if number == 2 else "RGB"))
    for number in (0, 1, 2, 10):
        test.append(save(root / "val" / "images" / f"val_{number}.JPEG", 7 * number))
    rows = [f"val_{n}.JPEG\t{s}\t0\t0\t9\t9" for n, s in zip((10, 0, 1, 2), [*CLASSES] * 2)]  # noqa: B905
    (root / "val" / "val_annotations.txt").write_text("\n".join(rows) + "\n")
    (root / "wnids.txt").write_text("\n".join(reversed(CLASSES)) + "\n")
    monkeypatch.setattr(tiny_imagenet, "CLASSES", CLASSES)
    arrays = {
        "train": (np.stack(train), np.repeat([0, 1], COUNT).astype("uint8")),
        "test": (np.stack(test), np.array([1, 0, 1, 0], "uint8")),
    }
    row = dataclasses.replace(
        DATASETS["tiny_imagenet"],
        labels=tuple(CLASSES.values()),
        sizes={"train": 2 * COUNT, "test": 4},
        content={part: content(x, y) for part, (x, y) in arrays.items()},
    )
    monkeypatch.setitem(DATASETS, "tiny_imagenet", row)
    return root, arrays


def test_classes():
    assert len(tiny_imagenet.SYNSETS) == len(set(tiny_imagenet.LABELS)) == 200
    assert list(tiny_imagenet.SYNSETS) == sorted(tiny_imagenet.SYNSETS)
    assert tiny_imagenet.CLASSES["n02123045"] == "tabby cat"


@pytest.mark.parametrize("split", ["train", "test"])
def test_reads_once_then_maps(folder, split):
    root, arrays = folder
    for _ in range(2):
        images = read("tiny_imagenet", split, root.parent)
        np.testing.assert_array_equal(images.x, arrays[split][0])
        np.testing.assert_array_equal(images.y, arrays[split][1])
        assert images.labels == ("tabby cat", "goldfish")
    assert isinstance(images.x, np.memmap)
    assert not list(root.glob(".*"))


def test_a_folder_that_cannot_be_written_is_read_into_memory(folder, monkeypatch, capsys):
    root, arrays = folder

    def refuse(*_):
        raise OSError("read-only")

    monkeypatch.setattr(tiny_imagenet, "write_array", refuse)
    np.testing.assert_array_equal(read("tiny_imagenet", "test", root.parent).x, arrays["test"][0])
    assert "stay in memory" in capsys.readouterr().out


def test_wrong_content(folder):
    root, _ = folder
    next(root.glob("train/*/images/*_11.JPEG")).unlink()
    with pytest.raises(ZooError, match="5 images and 5 labels, not 6"):
        read("tiny_imagenet", "train", root.parent)


def test_stored_array_of_other_length(folder):
    root, _ = folder
    read("tiny_imagenet", "test", root.parent)
    np.save(root / "test.npy", np.zeros((2, 64, 64, 3), "uint8"))
    with pytest.raises(ZooError, match="delete it"):
        read("tiny_imagenet", "test", root.parent)


def test_broken_and_wrong_photos(folder):
    root, _ = folder
    photo = root / "val" / "images" / "val_1.JPEG"
    save(photo, 3, size=(64, 63))
    with pytest.raises(ZooError, match=r"val_1\.JPEG has \(64, 63\) pixels"):
        read("tiny_imagenet", "test", root.parent)
    photo.write_bytes(b"no picture")
    with pytest.raises(ZooError, match=r"val_1\.JPEG cannot be decoded"):
        read("tiny_imagenet", "test", root.parent)


def test_other_classes(folder):
    root, _ = folder
    (root / "wnids.txt").write_text("n00000001\nn00000002\n")
    with pytest.raises(ZooError, match=r"wnids\.txt: not the classes"):
        read("tiny_imagenet", "train", root.parent)


def test_annotations_without_a_class(folder):
    root, _ = folder
    with (root / "val" / "val_annotations.txt").open("a") as file:
        file.write("val_11.JPEG\tn12345678\t0\t0\t9\t9\n")
    with pytest.raises(ZooError, match=r"val_annotations\.txt cannot be decoded"):
        read("tiny_imagenet", "test", root.parent)


def test_crops_of_an_array_are_those_of_its_pictures():
    import io

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (4, 20, 24, 3), "uint8")
    encoded = []
    for picture in x:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        encoded.append(file.getvalue())
    draws = rng.random((3, DRAWS))
    of_array, of_files = (
        resized_crops(a, [3, 0, 0], draws, (8, 9)) for a in (x, Pictures(encoded))
    )
    np.testing.assert_array_equal(of_array, of_files)
    assert (of_array[1] != of_array[2]).any()
    grey = resized_crops(x[..., :1], [0], draws[:1], (8, 9))
    assert grey.shape == (1, 8, 9, 1)
    with pytest.raises(ZooError, match="uint8"):
        resized_crops(x.astype("float32"), [0], draws[:1], (8, 9))
    with pytest.raises(ZooError, match="draws must be"):
        resized_crops(x, [0, 1], draws, (8, 9))
