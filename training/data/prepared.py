"""Sets in the folders of tensorflow-datasets.

ArrayRecord is read without TensorFlow; reading TFRecord is the only thing here that imports it.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from training.data.files import Arrays, decoding, write_array
from training.data.pictures import Pictures
from zoo.errors import MissingFileError, ZooError


def find(folder: Path, name: str) -> Path | None:
    """The newest version's folder of a finished set `name` under `folder` (NAME/VERSION/…)."""
    versions = []
    for info in folder.glob("*/dataset_info.json"):
        if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name):
            with decoding(info):
                if json.loads(info.read_text("utf-8")).get("name") == name:
                    versions.append(tuple(map(int, info.parent.name.split("."))))
    return folder / ".".join(map(str, max(versions))) if versions else None


def read(version_folder: Path, split: str) -> tuple[Arrays, bool]:
    """Images and labels of a prepared split, and whether they are in the official order.

    tensorflow-datasets stores a set shuffled. Examples with an `id` (CIFAR: train_00000, …) are
    put back into order, others (MNIST) stay in the stored order, always the same.
    """
    builder = _builder(version_folder)
    if not _random_access(builder):
        _import_tensorflow()
    with decoding(version_folder):
        if _random_access(builder):
            examples = list(builder.as_data_source(split=split))
            data = {key: np.array([e[key] for e in examples]) for key in examples[0]}
        else:
            dataset = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False)
            data = _tfds().as_numpy(dataset)
        x, y = data["image"], data["label"].astype(np.uint8)
    if "id" in data:
        order = np.argsort(data["id"], kind="stable")
        return (x[order], y[order]), True
    return (x, y), False


def class_names(version_folder: Path, feature: str = "label") -> tuple[str, ...]:
    """The names of the classes by label; `feature` may be a path such as "objects/label"."""
    with decoding(version_folder):
        features = _builder(version_folder).info.features
        for key in feature.split("/"):
            features = features[key]
        return tuple(features.names)


def source(version_folder: Path, split: str) -> Sequence[dict[str, Any]]:
    """The examples of a split by index, read when asked for; their images stay encoded bytes.

    Raises:
        ZooError: the set is stored in a format that only reads from front to back.
    """
    builder = _builder(version_folder)
    if not _random_access(builder):
        raise ZooError(
            f"{version_folder} holds TFRecord files, which cannot be read in any order. Convert "
            "them, which adds ArrayRecord files to that folder; this needs TensorFlow and "
            '"apache-beam", best in an environment of its own:\n    python -m '
            f"tensorflow_datasets.scripts.convert_format --dataset_version_dir={version_folder} "
            "--out_file_format=array_record"
        )
    with decoding(version_folder):
        skip = _tfds().decode.SkipDecoding()
        return builder.as_data_source(split=split, decoders={"image": skip})


class _Field(Sequence):
    """One field of the examples of a source."""

    def __init__(self, examples: Sequence[dict[str, Any]], name: str):
        self.examples, self.name = examples, name

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples[i][self.name]


def pictures(version_folder: Path, split: str) -> tuple[Pictures, np.ndarray]:
    """The pictures of a split, on disk, and their labels (N,) int64, in the stored order.

    The labels are among the pictures, so that the whole split is read for them, once: they are
    kept in the folder as labels-SPLIT.npy, if it can be written.
    """
    examples = source(version_folder, split)
    path = version_folder / f"labels-{split}.npy"
    y = _kept(path, len(examples))
    if y is None:
        if len(examples) > 100_000:
            print(f"Reading {len(examples)} labels, once, for {path} …", file=sys.stderr)
        with decoding(version_folder):
            y = _labels(examples)
        with contextlib.suppress(OSError):
            write_array(path, y)
    return Pictures(_Field(examples, "image"), f"{version_folder} ({split})"), y


def _labels(examples: Sequence[dict[str, Any]], chunk: int = 1000) -> np.ndarray:
    def read_chunk(start: int) -> list[int]:
        stop = min(start + chunk, len(examples))
        return [examples[i]["label"] for i in range(start, stop)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = pool.map(read_chunk, range(0, len(examples), chunk))
        return np.array([label for labels in chunks for label in labels], np.int64)


def _kept(path: Path, size: int) -> np.ndarray | None:
    with contextlib.suppress(OSError, ValueError, EOFError):
        y = np.load(path, allow_pickle=False)
        if (y.shape, y.dtype) == ((size,), np.dtype(np.int64)):
            return y
    return None


def download(name: str, data_dir: Path, file_format: str | None = None) -> Path:
    """Download and prepare `name` under `data_dir`; return its version's folder.

    Raises:
        MissingFileError: the set must be fetched by hand; the message says from where.
    """
    _import_tensorflow()
    form = {"file_format": file_format} if file_format else {}
    builder = _tfds().builder(name, data_dir=data_dir, **form)
    try:
        builder.download_and_prepare()
    except AssertionError as error:  # what it raises for files that need a person's account
        raise MissingFileError(f"{name} cannot be downloaded by a program: {error}") from error
    return Path(builder.data_dir)


def _builder(version_folder: Path):
    with decoding(version_folder):
        return _tfds().builder_from_directory(version_folder)


def _random_access(builder) -> bool:
    return _tfds().core.FileFormat.ARRAY_RECORD in builder.info.available_file_formats()


def _tfds():
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ZooError(
            f"this set is in a folder of tensorflow-datasets, which is not installed ({error}); "
            'install "tensorflow-datasets", or use the repacked folder'
        ) from error
    return tfds


def _import_tensorflow() -> None:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ZooError(
            f"downloading, and reading TFRecord files, needs TensorFlow ({error}); "
            'install "tensorflow", or use the repacked folder'
        ) from error
    import keras

    if keras.config.backend() != "tensorflow":
        # Or TensorFlow would take the memory that the backend needs; too late if it is in use.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
