"""Checkpoints in the formats of Keras and of keras-hub, for people without the zoo."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.checkpoint.card import KERAS_FILES
from zoo.errors import ZooError
from zoo.formats.keras_form import to_keras_layers


def save_keras_files(model: keras.Model, folder: str | os.PathLike) -> None:
    """Writes the files that `keras.saving.load_model("hf://org/name")` reads.

    Equal models give equal bytes: nothing in them tells the time or a place in memory.

    Args:
        model: keras.Model, a network of the zoo.
        folder: str or path, that exists; gets `config.json`, `metadata.json`, `model.weights.h5`.

    Raises:
        ZooError: the network has no plain form, see `to_keras_layers`, or its outputs
            are not those of the network. Nothing was written.

    Example:

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keras_files(zoo.load("resnet20.cifar10"), folder)
    ...     sorted(os.listdir(folder))
    ['config.json', 'metadata.json', 'model.weights.h5']
    """
    plain = to_keras_layers(model)
    _check_equal(model, plain)
    folder = Path(folder)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        made = Path(name)
        plain.save(made, zipped=False)
        config = json.loads((made / "config.json").read_text())
        (made / "config.json").write_text(json.dumps(_without_ids(config)))
        (made / "metadata.json").write_text(json.dumps({"keras_version": keras.__version__}))
        for file in KERAS_FILES:
            os.replace(made / file, folder / file)


def export_preset(model: keras.Model, folder: str | os.PathLike) -> None:
    """Writes a preset of keras-hub's `ImageClassifier`, which loads without the zoo.

    The network up to its pooled features is the backbone, of Keras's own layers; the classifier
    is keras-hub's. A preset has no preprocessing: give it arrays of `zoo.preprocess`. Backbones
    of keras-hub's own class it has none either, so load it as a task, not by `Backbone`.

    Args:
        model: keras.Model, a classifier of the zoo, with softmax or logits.
        folder: str or path, of the preset, made where it does not exist.

    Raises:
        ZooError: keras-hub is not installed; the network has no classifier, or no plain form.

    Example:

    >>> zoo.formats.export_preset(zoo.load("plainnet44"), "preset")  # doctest: +SKIP
    >>> keras_hub.models.ImageClassifier.from_preset(  # doctest: +SKIP
    ...     "preset", num_classes=5
    ... )
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ZooError(
            f'A preset needs keras-hub ({error}): pip install "zoo[keras-hub]"'
        ) from error

    plain = to_keras_layers(model)
    dense, act = plain.layers[-2:]
    if dense.name != "head_dense" or not isinstance(act, layers.Activation):
        raise ZooError(f"{model.name} does not end with a classifier, as a preset does.")
    pooled = dense.input
    pooling = pooled._keras_history.operation
    if isinstance(pooling, layers.GlobalAveragePooling2D):
        features = pooling.input
    else:  # a map of one pixel, whose average it is
        features = layers.Reshape((1, 1, pooled.shape[-1]), name="head_map")(pooled)
    task = keras_hub.models.ImageClassifier(
        backbone=keras.Model(plain.input, features, name=plain.name),
        num_classes=dense.units,
        activation=act.activation,
    )
    task.output_dense.set_weights(dense.get_weights())
    _check_equal(model, task)
    task.save_to_preset(os.fspath(folder))


def _check_equal(model: keras.Model, other: keras.Model) -> None:
    """Refuses models whose outputs differ by more than rounding, on random inputs."""
    shape = (2, *(side or 64 for side in model.input_shape[1:]))
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    a, b = (keras.ops.convert_to_numpy(m(x, training=False)) for m in (model, other))
    difference = np.abs(a - b).max()
    if not difference <= 1e-3 * np.abs(a).max():
        raise ZooError(
            f"{model.name} of Keras's own layers gives other outputs (by {difference:.3g}). "
            "Nothing was written."
        )


def _without_ids(value: Any) -> Any:
    """JSON without the ids of shared objects, which are places in memory."""
    if isinstance(value, dict):
        return {k: _without_ids(v) for k, v in value.items() if k != "shared_object_id"}
    if isinstance(value, list):
        return [_without_ids(v) for v in value]
    return value
