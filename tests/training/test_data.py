"""Readers of `training.data`: formats, order, checks, splits, downloads, errors."""

import bz2
import dataclasses
import functools
import http.server
import io
import lzma
import os
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import DATASETS, Content, cifar10, coil20, files, names, prepared, read, usps

ROOT = Path(__file__).resolve().parents[2]


# Small fake sets -------------------------------------------------------------------------------


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


WRITERS = dict(zip(names(), (write_cifar10, write_mnist, write_usps, write_coil20), strict=True))


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
    assert names() == list(DATASETS) == ["cifar10", "mnist", "usps", "coil20"]
    assert [len(row.labels) for row in DATASETS.values()] == [10, 10, 10, 20]
    for row in DATASETS.values():
        assert set(row.sizes) == {"train", "test"}
        assert sum(row.sizes.values()) == sum(part.size for part in row.content.values())
        assert set(row.urls) in (set(), set(row.content))
        for part in row.content.values():
            hashes = [part.x_sha256, part.y_sha256, part.unordered_sha256 or "0" * 64]
            assert all(re.fullmatch("[0-9a-f]{64}", h) for h in hashes)


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


# tensorflow-datasets -----------------------------------------------------------------------------


def write_tfds(data_dir, name, version, parts, with_id):
    """A prepared folder, written by tensorflow-datasets; it stores the examples shuffled."""
    pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    (x, _) = next(iter(parts.values()))
    features = {
        "image": tfds.features.Image(shape=x.shape[1:] if x.ndim == 4 else (*x.shape[1:], 1)),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    if with_id:
        features["id"] = tfds.features.Text()

    def examples(split, x, y):
        for i, (image, label) in enumerate(zip(x, y, strict=True)):
            example = {"image": image.reshape(*image.shape[:2], -1), "label": int(label)}
            yield i, example | ({"id": f"{split}_{i:05d}"} if with_id else {})

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(examples(split, *part)) for split, part in parts.items()},
        data_dir=data_dir,
    )


@pytest.mark.parametrize("own_folder", [False, True])
def test_prepared_cifar10_in_official_order(tmp_path, monkeypatch, own_folder):
    parts = write_cifar10(tmp_path / "elsewhere")
    write_tfds(tmp_path, "cifar10", "3.0.2", parts, with_id=True)
    known = {split: content(x, y) for split, (x, y) in parts.items()}
    put_row(monkeypatch, "cifar10", {"train": 12, "test": 6}, known)
    for split, (x, y) in parts.items():
        images = read("cifar10", split, tmp_path / "cifar10" if own_folder else tmp_path)
        assert (images.x.dtype, images.y.dtype) == (np.uint8, np.int64)
        assert np.array_equal(images.x, x)
        assert np.array_equal(images.y, y)


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
            write_tfds(self.root, self.name, "3.0.1", parts, with_id=False)

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


def test_prepared_folder_without_tensorflow(tmp_path, monkeypatch):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").write_text('{"name": "mnist"}')
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="or use the repacked folder"):
        read("mnist", "train", tmp_path)


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
    with pytest.raises(ValueError, match="the classes are"):
        read("cifar10", "test", tmp_path)
    (folder / "labels.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels\.npz"):
        read("cifar10", "test", tmp_path)


# The real sets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
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
