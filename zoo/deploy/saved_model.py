"""TensorFlow's SavedModel, a folder."""

from pathlib import Path

import keras
import numpy as np

from zoo.deploy.runtime import Run, Runtime


def _write(model: keras.Model, path: Path, precision: str, batches: list[np.ndarray]) -> None:
    model.export(str(path), format="tf_saved_model", verbose=False)


def _open(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda x: loaded.serve(x).numpy()


SAVED_MODEL = Runtime(
    name="savedmodel",
    suffix="",
    extra="",
    packages={"float32": ()},
    backends=("tensorflow", "jax"),
    write=_write,
    open=_open,
    reads=("tensorflow",),
)
