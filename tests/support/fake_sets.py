"""Small data sets as the readers find them, and rows of the table that fit them."""

import dataclasses
import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import DATASETS, Content, cifar10, files


def random_images(shape, high=256, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def mosaic(x, columns):
    """The inverse of `files.grid`, by a loop: tiles (N, H, W[, C]) on rows of `columns`."""
    rows = [np.concatenate(list(x[i : i + columns]), 1) for i in range(0, len(x), columns)]
    return np.concatenate(rows, 0)


def png(x):
    buffer = io.BytesIO()
    Image.fromarray(x).save(buffer, "PNG")
    return buffer.getvalue()


def content(x, y):
    y = np.asarray(y, np.uint8)
    return Content(len(x), files.sha256(x), files.sha256(y), files.unordered_sha256(x, y))


def put_row(monkeypatch, name, sizes, content, **changes):
    row = dataclasses.replace(DATASETS[name], sizes=sizes, content=content, **changes)
    monkeypatch.setitem(DATASETS, name, row)


def write_cifar10(folder):
    """Two train sheets and a test sheet of 2 x 3 tiles; images and labels by split."""
    folder.mkdir(parents=True)
    x = random_images((18, 32, 32, 3))
    y = (np.arange(18) % 10).astype(np.uint8)
    for name, part in [("train_00", x[:6]), ("train_01", x[6:12]), ("test_00", x[12:])]:
        Image.fromarray(mosaic(part, 3)).save(folder / f"{name}.webp", lossless=True)
    np.savez(folder / "labels.npz", y_train=y[:12], y_test=y[12:], classes=np.array(cifar10.LABELS))
    return {"train": (x[:12], y[:12]), "test": (x[12:], y[12:])}


def write_usps(folder):
    folder.mkdir(parents=True)
    x, y = random_images((7, 16, 16), 2001, np.uint16), np.arange(7, dtype=np.uint8)
    np.savez(folder / "usps.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    return {"train": (x[:4], y[:4]), "test": (x[4:], y[4:])}


def write_mnist(folder):
    folder.mkdir(parents=True)
    x, y = random_images((7, 28, 28)), np.arange(7, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    (folder / "mnist.npz.xz").write_bytes(lzma.compress(buffer.getvalue()))
    return {"train": (x[:4], y[:4]), "test": (x[4:], y[4:])}


def write_coil20(folder):
    """Two objects of 72 views."""
    folder.mkdir(parents=True)
    x, y = random_images((144, 128, 128)), np.repeat(np.arange(2, dtype=np.uint8), 72)
    (folder / "coil20.png").write_bytes(png(mosaic(x, 72)))
    return {"all": (x, y)}


WRITERS = {
    "cifar10": write_cifar10,
    "mnist": write_mnist,
    "usps": write_usps,
    "coil20": write_coil20,
}


def write_tfds(data_dir, name, version, features, examples, file_format="tfrecord"):
    """A folder prepared by tensorflow-datasets, which stores the examples shuffled.

    `features` is a function of `tensorflow_datasets.features`, `examples` a list by split.
    """
    tfds = pytest.importorskip("tensorflow_datasets")
    if file_format == "tfrecord":
        pytest.importorskip("tensorflow")
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features(tfds.features)),
        split_datasets={split: list(enumerate(rows)) for split, rows in examples.items()},
        data_dir=data_dir,
        file_format=file_format,
    )
    return Path(data_dir) / name / version


def write_tfds_parts(data_dir, name, version, parts, with_id, file_format="tfrecord", names=None):
    """The images of `parts` in such a folder, as tensorflow-datasets has CIFAR and MNIST."""

    def features(kinds):
        label = kinds.ClassLabel(names=names) if names else kinds.ClassLabel(num_classes=10)
        x, _ = next(iter(parts.values()))
        image = kinds.Image(shape=x.shape[1:] if x.ndim == 4 else (*x.shape[1:], 1))
        return {"image": image, "label": label} | ({"id": kinds.Text()} if with_id else {})

    examples = {
        split: [
            {"image": io.BytesIO(png(image)), "label": int(label)}
            | ({"id": f"{split}_{i:05d}"} if with_id else {})
            for i, (image, label) in enumerate(zip(x, y, strict=True))
        ]
        for split, (x, y) in parts.items()
    }
    return write_tfds(data_dir, name, version, features, examples, file_format)
