"""Readers of `training.data`: formats, order, checks, splits, downloads, errors."""

import bz2
import dataclasses
import functools
import http.server
import io
import os
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_sets import (
    WRITERS,
    content,
    mosaic,
    png,
    put_row,
    random_images,
    write_usps,
)
from training.data import DATASETS, cifar10, coil20, files, names, read, usps

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """fake(name): a small repacked set in tmp_path/NAME and its row; gives the stored parts."""

    def make(name):
        parts = WRITERS[name](tmp_path / name)
        known = {part: content(x, y) for part, (x, y) in parts.items()}
        sizes = {part: len(y) for part, (_, y) in parts.items()}
        if "all" in parts:
            sizes = {"train": 100, "test": 44}
        put_row(monkeypatch, name, sizes, known)
        return parts

    return make


# The table ---------------------------------------------------------------------------------------


def test_table():
    assert names() == list(DATASETS)
    assert {name: len(row.labels) for name, row in DATASETS.items()} == {
        "cifar10": 10,
        "cifar100": 0,  # its files name them
        "mnist": 10,
        "usps": 10,
        "coil20": 20,
        "tiny_imagenet": 200,
        "imagenet2012": 0,
    }
    for row in DATASETS.values():
        assert set(row.sizes) == {"train", "test"}
        assert sum(row.sizes.values()) == sum(part.size for part in row.content.values())
        assert set(row.urls) in (set(), set(row.content))
        for part in row.content.values():
            hashes = {part.x_sha256, part.y_sha256, part.unordered_sha256} - {None}
            assert all(re.fullmatch("[0-9a-f]{64}", h) for h in hashes)
            assert (part.x_sha256 is None) == (part.y_sha256 is None) == (row.repacked is None)


# Repacked files ----------------------------------------------------------------------------------


def test_grid_is_row_major():
    x = random_images((6, 4, 5, 3))
    assert np.array_equal(files.grid(mosaic(x, 3), 4, 5), x)
    assert np.array_equal(files.grid(mosaic(x[..., 0], 2), 4, 5), x[..., 0])
    with pytest.raises(ValueError, match="not a grid of 4 x 4"):
        files.grid(mosaic(x, 3), 4, 4)


@pytest.mark.parametrize("own_folder", [False, True])
@pytest.mark.parametrize("name", ["cifar10", "mnist", "usps"])
def test_repacked(fake, tmp_path, name, own_folder):
    parts = fake(name)
    for split, (x, y) in parts.items():
        images = read(name, split, str(tmp_path / name) if own_folder else tmp_path)
        assert images.x.shape == (len(x), *DATASETS[name].shape)
        assert images.y.dtype == np.int64
        assert np.array_equal(images.y, y)
        assert images.labels == DATASETS[name].labels
        if name == "usps":
            assert images.x.dtype == np.float32
            assert np.allclose(images.x[..., 0], x / 2000 * 255, atol=1e-4)
        else:
            assert images.x.dtype == np.uint8
            assert np.array_equal(images.x.reshape(x.shape), x)


def test_coil20_split_by_seed(fake, tmp_path):
    ((x, y),) = fake("coil20").values()
    numbers = {image.tobytes(): i for i, image in enumerate(x)}

    def members(split, seed):
        images = read("coil20", split, tmp_path, seed=seed)
        found = [numbers[image.tobytes()] for image in images.x]
        assert np.array_equal(images.y, y[found])
        return found

    train, test = members("train", 0), members("test", 0)
    assert (len(train), len(test)) == (100, 44)
    assert sorted(train + test) == list(range(144))
    assert members("train", 0) == train
    assert members("train", 1) != train


def test_split_stays_the_same_between_versions():
    assert coil20.random_split(1440, 1008, "train", 0)[:6].tolist() == [2, 5, 8, 12, 13, 15]
    assert coil20.random_split(1440, 1008, "test", 0)[:6].tolist() == [0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize("name", ["cifar10", "mnist", "usps"])
def test_reading_needs_no_tensorflow(fake, tmp_path, monkeypatch, name):
    parts = fake(name)
    for module in ("tensorflow", "tensorflow_datasets", "keras"):
        monkeypatch.setitem(sys.modules, module, None)
    assert len(read(name, "train", tmp_path).y) == len(parts["train"][1])


def test_importing_needs_no_tensorflow():
    pytest.importorskip("jax")
    blocked = "import sys; sys.modules.update(tensorflow=None, tensorflow_datasets=None)"
    code = f"{blocked}; import training.data"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


# Original files ----------------------------------------------------------------------------------


def libsvm(x, y):
    lines = []
    for image, label in zip(x.reshape(len(x), -1), y, strict=True):
        pairs = (f"{i}:{v / 1000 - 1:.3f}" for i, v in enumerate(image.tolist(), 1) if v != 1000)
        lines.append(f"{label + 1} {' '.join(pairs)} \n")
    return "".join(lines)


def coil_zip(x, y, views=72):
    """Members in an order that is neither that of the numbers nor that of the names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("coil-20-proc/readme.txt", "x")
        archive.writestr("__MACOSX/coil-20-proc/._obj1__0.png", "x")
        for i in np.random.default_rng(1).permutation(len(x)):
            archive.writestr(f"coil-20-proc/obj{y[i] + 1}__{i % views}.png", png(x[i]))
    return buffer.getvalue()


def test_libsvm_text():
    x, y = usps.parse_libsvm("10 1:-1 2:0.5 17:1 256:-0.631 \n\n1.0 3:-0.001\n")
    assert (x.dtype, x.shape) == (np.uint16, (2, 16, 16))
    assert y.tolist() == [9, 0]
    assert x[0, [0, 0, 0, 1, 15], [0, 1, 2, 0, 15]].tolist() == [0, 1500, 1000, 2000, 369]
    assert (x[1, 0, 2], x[1].sum()) == (999, 256 * 1000 - 1)


@pytest.mark.parametrize("line", ["11 1:0", "0 1:0", "1 257:0", "1 0:0", "1 1:1.5", "1 1:nan", "a"])
def test_libsvm_text_of_another_format(line):
    with pytest.raises(ValueError, match=r"not 1|could not convert"):
        usps.parse_libsvm(line)


def test_coil_zip(tmp_path):
    x, y = random_images((24, 128, 128)), np.repeat(np.arange(2, dtype=np.uint8), 12)
    path = tmp_path / "a.zip"
    path.write_bytes(coil_zip(x, y, 12))
    got_x, got_y = coil20.original(path)
    assert np.array_equal(got_x, x)
    assert np.array_equal(got_y, y)


# Downloads, from this machine to itself ----------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    """A folder and the address that serves it; what ends in .cut stops half way."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def copyfile(self, source, outputfile):
            data = source.read()
            outputfile.write(data[: len(data) // 2] if self.path.endswith(".cut") else data)

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_address[1]}/"
        httpd.shutdown()
        thread.join()


def test_download_usps(server, tmp_path, monkeypatch):
    served, url = server
    parts = write_usps(tmp_path / "elsewhere")
    urls = {"train": url + "usps.bz2", "test": url + "usps.t.bz2"}
    for split, (x, y) in parts.items():
        path = served / urls[split].rpartition("/")[2]
        path.write_bytes(bz2.compress(libsvm(x, y).encode()))
    known = {split: content(x, y) for split, (x, y) in parts.items()}
    put_row(monkeypatch, "usps", {"train": 4, "test": 3}, known, urls=urls)

    data_dir = tmp_path / "data"
    for split, (x, y) in parts.items():
        with pytest.raises(FileNotFoundError):
            read("usps", split, data_dir)
        got = read("usps", split, data_dir, download=True)
        assert np.allclose(got.x[..., 0], x / 2000 * 255, atol=1e-4)
        assert np.array_equal(got.y, y)
        (served / urls[split].rpartition("/")[2]).unlink()  # the file is kept:
        assert np.array_equal(read("usps", split, data_dir / "usps", download=True).x, got.x)
        assert np.array_equal(read("usps", split, data_dir).x, got.x)
    assert sorted(p.name for p in data_dir.rglob("*")) == ["usps", "usps.bz2", "usps.t.bz2"]


def test_download_coil20(server, tmp_path, monkeypatch):
    served, url = server
    x, y = random_images((24, 128, 128)), np.repeat(np.arange(2, dtype=np.uint8), 12)
    (served / "c.zip").write_bytes(coil_zip(x, y, 12))
    sizes, known = {"train": 17, "test": 7}, {"all": content(x, y)}
    put_row(monkeypatch, "coil20", sizes, known, urls={"all": url + "c.zip"})
    got = [read("coil20", split, tmp_path / "coil20", download=True) for split in sizes]
    assert [len(images.y) for images in got] == [17, 7]
    assert (tmp_path / "coil20" / "c.zip").is_file()


@pytest.mark.parametrize("fault", ["absent", "cut", "other content", "not bz2"])
def test_bad_download_leaves_nothing(server, tmp_path, monkeypatch, fault):
    served, url = server
    x, y = write_usps(tmp_path / "elsewhere")["train"]
    known = {"train": content(x, y)}
    name = "usps.cut" if fault == "cut" else "usps.bz2"
    if fault == "other content":
        x = x[::-1]
    if fault != "absent":
        text = libsvm(x, y).encode()
        (served / name).write_bytes(text if fault == "not bz2" else bz2.compress(text))
    put_row(monkeypatch, "usps", {"train": 4}, known, urls={"train": url + name})
    error = OSError if fault in ("absent", "cut") else ValueError
    with pytest.raises(error, match=re.escape(url + name)):
        read("usps", "train", tmp_path / "data", download=True)
    assert [p.name for p in (tmp_path / "data").rglob("*")] == ["usps"]


# Errors ------------------------------------------------------------------------------------------


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'cifar10'"):
        read("cifar-10", "train", tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'test'"):
        read("mnist", "tests", tmp_path)


@pytest.mark.parametrize("name", names())
def test_nothing_found(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="download=True") as caught:
        read(name, "train", tmp_path / "absent")
    assert str(tmp_path / "absent" / name) in str(caught.value)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cifar10", "train_01.webp"),
        ("cifar10", "labels.npz"),
        ("mnist", "mnist.npz.xz"),
        ("usps", "usps.npz"),
        ("coil20", "coil20.png"),
    ],
)
def test_broken_file_is_named(fake, tmp_path, name, file, damage):
    fake(name)
    path = tmp_path / name / file
    data = path.read_bytes()
    broken = {"truncated": data[: len(data) // 2], "garbage": b"x" * 1000, "empty": b""}
    path.write_bytes(broken[damage])
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be decoded")):
        read(name, "train", tmp_path)


def test_missing_sheet_labels_and_other_content(fake, tmp_path, monkeypatch):
    parts = fake("cifar10")
    folder = tmp_path / "cifar10"
    with monkeypatch.context() as patch:
        known = {"train": dataclasses.replace(DATASETS["cifar10"].content["train"], y_sha256="")}
        put_row(patch, "cifar10", {"train": 12}, known)
        with pytest.raises(ValueError, match=re.escape(f"{folder}: the content is not")):
            read("cifar10", "train", tmp_path)
    (folder / "train_00.webp").unlink()
    with pytest.raises(ValueError, match=re.escape(f"{folder}: 6 images and 12 labels, not 12")):
        read("cifar10", "train", tmp_path)
    y = {f"y_{split}": part[1] for split, part in parts.items()}
    np.savez(folder / "labels.npz", **y, classes=np.array(cifar10.LABELS[::-1]))
    with pytest.raises(ValueError, match="the classes must be"):
        read("cifar10", "test", tmp_path)
    (folder / "labels.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels\.npz"):
        read("cifar10", "test", tmp_path)


# The real sets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_real_sets(shared_data, name):
    """Sizes and hashes are checked by `read` itself."""
    row = DATASETS[name]
    for split, size in row.sizes.items():
        images = read(name, split, shared_data)
        assert (images.x.shape, images.y.shape) == ((size, *row.shape), (size,))
        assert (images.x.min(), images.x.max()) == (0, 255)
        assert set(images.y) == set(range(len(images.labels)))


def test_real_sets_have_the_hashes_of_their_readme(shared_data):
    text = (shared_data / "README.md").read_text("utf-8")
    assert all(part.x_sha256 in text for part in DATASETS["cifar10"].content.values())


def test_real_usps_survives_its_original_text(shared_data):
    known = DATASETS["usps"].content["test"]
    x, y = usps.parse_libsvm(libsvm(*usps.repacked(shared_data / "usps", "test")))
    assert (files.sha256(x), files.sha256(y)) == (known.x_sha256, known.y_sha256)


def test_real_coil20_survives_its_original_zip(shared_data, tmp_path):
    stored = coil20.repacked(shared_data / "coil20", "all")
    (tmp_path / "coil-20-proc.zip").write_bytes(coil_zip(*stored))
    images = read("coil20", "test", tmp_path, seed=3)
    assert np.array_equal(images.x, read("coil20", "test", shared_data, seed=3).x)
