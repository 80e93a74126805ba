"""Sets of tensorflow-datasets: prepared by it, and from our files by `training.data.prepare`."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_sets import (
    WRITERS,
    content,
    put_row,
    random_images,
    write_cifar10,
    write_mnist,
    write_tfds_parts,
    write_usps,
)
from training.data import DATASETS, Content, prepared, read
from training.data.prepare import main, prepare
from zoo.errors import ZooError

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def put_known(monkeypatch, name, parts):
    known = {part: content(x, y) for part, (x, y) in parts.items()}
    sizes = {part: len(y) for part, (_, y) in parts.items()}
    put_row(monkeypatch, name, sizes if "train" in sizes else {"train": 100, "test": 44}, known)


# Prepared by tensorflow-datasets ----------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
@pytest.mark.parametrize("own_folder", [False, True])
def test_prepared_cifar10_in_official_order(tmp_path, monkeypatch, own_folder, file_format):
    parts = write_cifar10(tmp_path / "elsewhere")
    write_tfds_parts(tmp_path, "cifar10", "3.0.2", parts, True, file_format)
    put_known(monkeypatch, "cifar10", parts)
    for split, (x, y) in parts.items():
        images = read("cifar10", split, tmp_path / "cifar10" if own_folder else tmp_path)
        assert (images.x.dtype, images.y.dtype) == (np.uint8, np.int64)
        assert np.array_equal(images.x, x)
        assert np.array_equal(images.y, y)


def test_cifar100_has_the_class_names_of_its_files(tmp_path, monkeypatch):
    names = [f"kind{i}" for i in range(10)]
    parts = write_cifar10(tmp_path / "elsewhere")
    write_tfds_parts(tmp_path, "cifar100", "3.0.2", parts, True, "array_record", names)
    put_row(
        monkeypatch,
        "cifar100",
        {"train": 12, "test": 6},
        {"train": Content(12), "test": Content(5)},
    )
    images = read("cifar100", "train", tmp_path)
    assert images.labels == tuple(names)
    assert np.array_equal(images.x, parts["train"][0])
    with pytest.raises(ValueError, match="6 images and 6 labels, not 5"):
        read("cifar100", "test", tmp_path)


def test_mnist_by_tfds(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    parts = write_mnist(tmp_path / "elsewhere")
    known = {split: content(x, y) for split, (x, y) in parts.items()}
    put_row(monkeypatch, "mnist", {"train": 4, "test": 3}, known)
    data_dir = tmp_path / "data"

    class Builder:
        def __init__(self, name, data_dir):
            self.name, self.root = name, Path(data_dir)
            self.data_dir = str(self.root / name / "3.0.1")

        def download_and_prepare(self):
            write_tfds_parts(self.root, self.name, "3.0.1", parts, with_id=False)

    monkeypatch.setattr(tfds, "builder", Builder)
    with pytest.raises(FileNotFoundError):
        read("mnist", "train", data_dir)
    for download in (True, False):
        for split, (x, y) in parts.items():
            images = read("mnist", split, data_dir, download=download)
            assert images.x.shape == (len(x), 28, 28, 1)
            order = np.argsort(images.y)  # the labels are distinct here
            assert np.array_equal(images.x[order, ..., 0], x)
            assert np.array_equal(images.y[order], y)

    wrong = dataclasses.replace(known["train"], unordered_sha256="0" * 64)
    put_row(monkeypatch, "mnist", {"train": 4}, {"train": wrong})
    with pytest.raises(ValueError, match=re.escape(str(data_dir / "mnist" / "3.0.1"))):
        read("mnist", "train", data_dir)

    for record in (data_dir / "mnist" / "3.0.1").glob("*train*.tfrecord*"):
        record.write_bytes(record.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be decoded"):
        read("mnist", "train", data_dir)


def test_prepared_folder_of_the_newest_version(tmp_path):
    for version, name in [("3.0.9", "mnist"), ("3.0.10", "mnist"), ("3.1.0", "cifar10")]:
        (tmp_path / version).mkdir()
        (tmp_path / version / "dataset_info.json").write_text(f'{{"name": "{name}"}}')
    (tmp_path / "4.0.0.incompleteABC").mkdir()
    (tmp_path / "4.0.0.incompleteABC" / "dataset_info.json").write_text('{"name": "mnist"}')
    assert prepared.find(tmp_path, "mnist") == tmp_path / "3.0.10"
    assert prepared.find(tmp_path / "absent", "mnist") is None


def test_array_records_are_read_without_tensorflow(tmp_path):
    pytest.importorskip("jax")
    parts = write_mnist(tmp_path / "elsewhere")
    folder = write_tfds_parts(tmp_path, "mnist", "3.0.1", parts, False, "array_record")
    code = f"""
import pathlib, sys
from training.data import prepared
(x, y), ordered = prepared.read(pathlib.Path({str(folder)!r}), "train")
print(x.shape, sorted(y.tolist()), ordered)
x, y = prepared.pictures(pathlib.Path({str(folder)!r}), "test")
print(x[0].shape, sorted(y.tolist()), "tensorflow" in sys.modules)
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    read_and_opened = ["(4, 28, 28, 1) [0, 1, 2, 3] False", "(28, 28, 3) [4, 5, 6] False"]
    assert result.stdout.splitlines() == read_and_opened


def test_tfrecords_without_tensorflow(tmp_path, monkeypatch):
    write_tfds_parts(tmp_path, "mnist", "3.0.1", write_mnist(tmp_path / "elsewhere"), False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ZooError, match="or use the repacked folder"):
        read("mnist", "train", tmp_path)


def test_without_tensorflow_datasets(tmp_path, monkeypatch):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").write_text('{"name": "mnist"}')
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ZooError, match='install "tensorflow-datasets"'):
        read("mnist", "train", tmp_path)


def test_sets_that_need_an_account_are_not_downloaded(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("tensorflow")
    with pytest.raises(FileNotFoundError, match=r"ILSVRC2012_img_train\.tar"):
        read("imagenet2012", "train", tmp_path, download=True)


# From our files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_prepared_sets_are_the_files_they_came_from(tmp_path, monkeypatch, name):
    """Through `read`, which checks the hashes: order, values and labels are the source's."""
    pytest.importorskip("tensorflow_datasets")
    parts = WRITERS[name](tmp_path / "files" / name)
    put_known(monkeypatch, name, parts)
    folder = prepare(name, tmp_path / "files", tmp_path / "to")
    assert folder == prepared.find(tmp_path / "to" / name, name)
    for part, (x, y) in parts.items():
        split = DATASETS[name].tfds_splits.get(part, part)
        (got_x, got_y), ordered = prepared.read(folder, split)
        assert ordered
        assert got_x.dtype == x.dtype
        assert np.array_equal(got_x.reshape(x.shape), x)
        assert np.array_equal(got_y, y)
    for split in ("train", "test"):
        one, other = (read(name, split, tmp_path / where) for where in ("to", "files"))
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.y, other.y)
        assert one.labels == other.labels


def test_prepare_as_tfrecord(tmp_path, monkeypatch, capsys):
    """USPS is finer than 8 bits in that format, too."""
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("tensorflow")
    parts = write_usps(tmp_path / "usps")
    put_known(monkeypatch, "usps", parts)
    to = tmp_path / "to"
    command = ["usps", "--data-dir", str(tmp_path), "--to", str(to), "--file-format", "tfrecord"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(to / "usps" / "1.0.0")
    (x, y), _ = prepared.read(to / "usps" / "1.0.0", "train")
    assert x.dtype == np.uint16
    assert np.array_equal(x[..., 0], parts["train"][0])
    assert np.array_equal(y, parts["train"][1])


def test_prepare_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tensorflow_datasets")
    to = ["--to", str(tmp_path / "to"), "--data-dir", str(tmp_path)]
    assert main(["usp", *to]) == 2
    assert "Did you mean 'usps'" in capsys.readouterr().err
    assert main(["usps", *to, "--file-format", "tfrecords"]) == 2
    assert "Did you mean 'tfrecord'" in capsys.readouterr().err
    assert main(["usps", *to]) == 2
    assert str(tmp_path / "usps" / "usps.npz") in capsys.readouterr().err
    assert prepared.find(tmp_path / "to" / "usps", "usps") is None

    put_known(monkeypatch, "usps", write_usps(tmp_path / "usps"))
    assert main(["usps", *to]) == 0
    x, y = random_images((4, 16, 16), 2001, np.uint16)[::-1], np.arange(4, dtype=np.uint8)
    put_known(monkeypatch, "usps", {"train": (x, y), "test": (x, y)})
    assert main(["usps", *to]) == 2  # what is there already is checked
    assert "usps" in capsys.readouterr().err
