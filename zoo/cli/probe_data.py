"""The batch that `zoo probe` runs through a model: random, from an .npz file, from pictures."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.errors import UnknownNameError, ZooError
from zoo.preprocessing import Preprocess, preprocess, settings_of

_PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


# Inputs, targets if there are any, a note.
Data = tuple[np.ndarray, np.ndarray | None, str]


def batch(
    model: keras.Model, data: str | None, size: int, seed: int
) -> tuple[np.ndarray, np.ndarray, str | None, list[str]]:
    """The batch to probe with.

    Args:
        model: built.
        data: .npz file with x and perhaps y; folder of pictures, in one folder for each class or
            all in one; None for random normal inputs.
        size: examples, evenly spread over the data.
        seed: of what is random.

    Returns:
        (inputs, targets, loss, notes). Missing targets are random: classes, or numbers where the
        model gives but one, or more than a vector.

    Raises:
        ZooError: the data does not fit the model.
    """
    random = np.random.default_rng(seed)
    targets: np.ndarray | None = None
    if data is None:
        inputs = random.standard_normal((size, *_input_shape(model))).astype("float32")
        note = f"Data: {size} random normal inputs"
    elif Path(data).is_dir():
        inputs, targets, note = _folder(model, Path(data), size)
    else:
        inputs, targets, note = _arrays(model, data, size)
    shape = _output_shape(model, inputs)
    classes = shape[-1] if len(shape) == 2 and shape[-1] > 1 else None
    if targets is None:
        note += ", random targets"
        targets = random.standard_normal(shape).astype("float32")
        if classes:
            targets = random.integers(0, classes, len(inputs))
    elif classes and (targets.ndim > 1 or targets.min() < 0 or targets.max() >= classes):
        raise ZooError(
            f"The model has {classes} classes; y must be whole numbers from 0 to {classes - 1}, "
            f"(N,). Received: shape {targets.shape}, {targets.min()} to {targets.max()}"
        )
    return inputs, targets, None if classes else "mean_squared_error", [f"{note}."]


def _input_shape(model: keras.Model) -> tuple[int, ...]:
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1:
        raise ZooError(f"{model.name} does not take one input of a known shape: give --data.")
    shape = inputs[0].shape[1:]
    if None in shape or "float" not in inputs[0].dtype:
        raise ZooError(
            f"{model.name} takes inputs of shape {shape} and type {inputs[0].dtype}, for which "
            "there are no random ones: give --data."
        )
    return shape


def _output_shape(model: keras.Model, inputs: np.ndarray) -> tuple[int, ...]:
    spec = model.compute_output_spec(keras.KerasTensor(inputs.shape, str(inputs.dtype)))
    if not hasattr(spec, "shape"):
        raise ZooError(f"{model.name} gives several outputs; a probe needs one.")
    return tuple(spec.shape)


def _arrays(model: keras.Model, path: str, size: int) -> Data:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("x", "y") if name in file}
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ZooError(f"--data {path} is no folder and no .npz file: {error}") from error
    if "x" not in arrays or any(len(a) != len(arrays["x"]) or not len(a) for a in arrays.values()):
        shapes = {name: a.shape for name, a in arrays.items()}
        raise ZooError(f"--data {path} must hold x, and y of the same length. Received: {shapes}")
    chosen = _spread(len(arrays["x"]), size)
    x, y = arrays["x"][chosen], arrays["y"][chosen] if "y" in arrays else None
    note = f"Data: {len(x)} examples of {path}"
    if x.dtype == np.uint8 and x.ndim == 4:
        x, how = _prepared(model, x)
        note += how
    elif x.dtype.kind == "f":
        x = x.astype("float32")
    return x, y, note


def _folder(model: keras.Model, folder: Path, size: int) -> Data:
    classes = [path for path in _visible(folder) if path.is_dir()]
    files = [
        (path, place)
        for place in classes or [folder]
        for path in _visible(place)
        if path.suffix.lower() in _PICTURES and path.is_file()
    ]
    if not files:
        raise ZooError(f"--data {folder} holds no pictures, nor folders of them.")
    chosen = [files[i] for i in _spread(len(files), size)]
    x, how = _prepared(model, [path for path, _ in chosen])
    y = None
    if classes:
        labels = _labels(model, {place.name for _, place in files})
        labels = labels or [path.name for path in classes]
        y = np.array([labels.index(place.name) for _, place in chosen])
    return x, y, f"Data: {len(x)} pictures of {folder}{how}"


def _labels(model: keras.Model, classes: set[str]) -> Sequence[str]:
    """The labels of the model's card; () where it has none. Refuses other classes."""
    labels = getattr(getattr(model, "zoo_card", None), "labels", ())
    for name in sorted(classes) if labels else ():
        if name not in labels:
            hint = "Name the folders of --data as the checkpoint's labels."
            raise UnknownNameError(f"class of {model.zoo_card.name}", name, labels, hint)
    return labels


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _prepared(model: keras.Model, pictures: np.ndarray | list[Path]) -> tuple[np.ndarray, str]:
    try:
        return preprocess(settings_of(model), pictures), ", prepared as the model's card says"
    except ZooError:
        if hasattr(model, "zoo_card"):
            raise
    shape = _input_shape(model)
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ZooError(f"{model.name} takes no pictures, but inputs of shape {shape}.")
    ones = (1.0,) * shape[-1]
    how = Preprocess(shape[:2], shape[-1], min(shape[:2]), "bilinear", 1 / 127.5, ones, ones)
    return preprocess(how, pictures), ", scaled to [-1, 1]"


def _spread(count: int, size: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(size, count)).astype(int))
