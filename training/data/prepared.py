"""Sets in the folders of tensorflow-datasets; the only reader that imports TensorFlow."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np

from training.data.files import Arrays, decoding


def find(folder: Path, name: str) -> Path | None:
    """The newest version's folder of a finished set `name` under `folder` (NAME/VERSION/…)."""
    versions = []
    for info in folder.glob("*/dataset_info.json"):
        if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name):
            with decoding(info):
                if json.loads(info.read_text("utf-8")).get("name") == name:
                    versions.append(tuple(map(int, info.parent.name.split("."))))
    return folder / ".".join(map(str, max(versions))) if versions else None


def _import():
    try:
        import tensorflow as tf
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"reading or downloading with tensorflow-datasets needs it and TensorFlow ({error}); "
            'install "tensorflow" and "tensorflow-datasets", or use the repacked folder'
        ) from error
    import keras

    if keras.config.backend() != "tensorflow":
        # Or TensorFlow would take the memory that the backend needs; too late if it is in use.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tfds


def read(version_folder: Path, split: str) -> tuple[Arrays, bool]:
    """Images and labels of a prepared split, and whether they are in the official order.

    tensorflow-datasets stores a set shuffled. Examples with an `id` (CIFAR-10: train_00000, …)
    are put back into order, others (MNIST) stay in the stored order, always the same.
    """
    tfds = _import()
    with decoding(version_folder):
        builder = tfds.builder_from_directory(version_folder)
        data = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
        x, y = data["image"], data["label"].astype(np.uint8)
    if "id" in data:
        order = np.argsort(data["id"], kind="stable")
        return (x[order], y[order]), True
    return (x, y), False


def download(name: str, data_dir: Path) -> Path:
    """Download and prepare `name` under `data_dir`; return its version's folder."""
    builder = _import().builder(name, data_dir=data_dir)
    builder.download_and_prepare()
    return Path(builder.data_dir)
