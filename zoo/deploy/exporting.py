"""`zoo.export`: a model as a file of another runtime, run there before it is called done."""

import dataclasses
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.card import INDEX_FILE, WEIGHTS_FILE
from zoo.checkpoint.present import has_weights_of
from zoo.deploy.exported import (
    RUNTIMES,
    Agreement,
    Exported,
    card_file,
    input_settings,
    write_card,
)
from zoo.deploy.runtime import Runtime
from zoo.errors import ImageError, UnknownNameError, ZooError
from zoo.formats.folding import fold
from zoo.hub.loading import load
from zoo.images import read_pixels
from zoo.models.policy import dtype_policy
from zoo.outputs import output_activation
from zoo.preprocessing import Preprocess, preprocess

# The least share of pictures whose first class must be the model's, by precision.
LEAST_AGREEMENT = {"float32": 0.99, "float16": 0.98, "int8": 0.9}
MOST_PICTURES = 300  # of a folder
BATCH = 8
GENERATED = 32
_log = logging.getLogger("zoo")
_PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def export(
    model: keras.Model | str | os.PathLike,
    path: str | os.PathLike,
    *,
    format: str | None = None,
    precision: str = "float32",
    calibrate: Any = None,
    normalize: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> Exported:
    """Writes a classifier as a file of another runtime, and its card beside it.

    The net is folded first (`zoo.fold`). Then the file is run in its own runtime, and what it
    says of pictures is compared with what the model says; a file that disagrees is not kept.

    Args:
        model: keras.Model with a card, as of `zoo.load`, or what `zoo.load` takes.
        path: str or path, of the file ("net.xml"); of a folder for "savedmodel".
        format: str, "openvino" (.xml and .bin), "onnx", "litert" (.tflite), "savedmodel" or
            "torch" (.pt2); None for that of the path's ending.
        precision: str, "float32", "float16" (of the weights) or "int8" (of weights and
            activations, quantized after training; weights per channel).
        calibrate: pictures to compare on and, for "int8", to measure the activations with: a
            folder, of which up to 300 are taken, wherever in it they are, or as for
            `zoo.preprocess`. None for generated ones, which "int8" does not take.
        normalize: bool, whether the file itself applies scale, mean and deviation, so that it
            takes pixels of 0 to 255. Resizing and cropping stay outside: runtimes interpolate
            differently.
        overwrite: bool, True to replace an earlier export.
        force: bool, True to keep a file that disagrees.

    Returns:
        Exported, the card.

    Raises:
        UnknownNameError: no such format or precision.
        ZooError: something does not go together or is not installed; the file disagrees with the
            model on more than 1% (float16: 2%, int8: 10%) of the pictures. Nothing was written.

    Example:

    >>> zoo.export("seqnet18", "seqnet18.xml", precision="int8", calibrate="photos/").agreement
    ... # doctest: +SKIP
    """
    path = Path(path)
    runtime = _runtime(path, format)
    runtime.check(precision)
    if precision == "int8" and calibrate is None:
        raise ZooError(
            "int8 needs pictures to calibrate with: calibrate=FOLDER (--calibrate), "
            "like its photos."
        )
    _check_place(path, overwrite)
    if isinstance(model, str | os.PathLike):
        model = load(model)
    settings = _settings(model)
    pictures = generated(settings) if calibrate is None else _sample(calibrate)

    inputs = preprocess(settings, pictures)
    activation = output_activation(model)
    card = Exported(
        format=runtime.name,
        precision=precision,
        source=model.zoo_card.name,
        version=model.zoo_card.version,
        sha256=_sha256(model),
        activation=activation or "linear",
        labels=_labels(model),
        preprocess=settings,
        normalizes=normalize,
        agreement=Agreement(len(inputs), calibrate is not None, 0.0, 0.0),
    )
    folded = fold(model)
    if normalize:
        folded = _with_normalization(folded, settings)
        fed = preprocess(input_settings(card), pictures)
    else:
        fed = inputs
    batches = _batches(np.asarray(fed, "float32"))
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".export-") as folder:
        made = Path(folder) / path.name
        runtime.write(folded, made, precision, batches if precision == "int8" else [])
        run = runtime.open(made)
        received = np.concatenate([run(batch) for batch in batches])
        expected = np.concatenate([model.predict_on_batch(b) for b in _batches(inputs)])
        card = dataclasses.replace(card, agreement=_compare(expected, received, card.agreement))
        if card.agreement.top1 < LEAST_AGREEMENT[precision] and not force:
            raise ZooError(
                f"{path.name} agrees with {model.name} on {card.agreement.top1:.1%} of "
                f"{len(inputs)} pictures; {LEAST_AGREEMENT[precision]:.0%} are needed. Nothing was "
                "written. Give more pictures, like those that it is for, or force=True (--force)."
            )
        for suffix in ("", *runtime.parts):
            _move(made.with_suffix(suffix) if suffix else made, path)
        write_card(path, card)
    return card


def _runtime(path: Path, name: str | None) -> Runtime:
    if name is None:
        fitting = [each for each in RUNTIMES.values() if each.suffix == path.suffix]
        if not fitting:
            endings = ", ".join(each.suffix for each in RUNTIMES.values() if each.suffix)
            raise ZooError(
                f"format is needed where the path does not end with {endings}. Received: {path}"
            )
        return fitting[0]
    if name not in RUNTIMES:
        raise UnknownNameError("format", name, RUNTIMES)
    runtime = RUNTIMES[name]
    if path.suffix != runtime.suffix:
        ending = f"end with {runtime.suffix}" if runtime.suffix else "have no ending"
        raise ZooError(f"The path of {name} must {ending}. Received: {path}")
    return runtime


def _check_place(path: Path, overwrite: bool) -> None:
    if not path.absolute().parent.is_dir():
        raise ZooError(f"{path}: there is no folder {path.absolute().parent}.")
    if path.exists() and not (overwrite and card_file(path).exists()):
        earlier = card_file(path).exists()
        remedy = (
            "overwrite=True (--overwrite) replaces it"
            if earlier
            else "and it is no export; choose another"
        )
        raise ZooError(f"{path} exists already: {remedy}.")


def _settings(model: Any) -> Preprocess:
    """The preprocessing of a classifier, or a refusal of what is none."""
    if not isinstance(model, keras.Model) or not hasattr(model, "zoo_card"):
        raise ZooError(
            "An export takes a model with a card: of zoo.load, zoo.convert, or kept by zoo.save. "
            f"Received: {model!r}"
        )
    if getattr(model, "task", "classification") != "classification":
        raise ZooError(
            f"{model.name} is a detector, of which only TensorFlow's SavedModel can be made: "
            "model.export(FOLDER)."
        )
    if len(model.outputs) != 1 or len(model.output_shape) != 2 or None in model.input_shape[1:]:
        raise ZooError(
            f"{model.name} must have one output (N, classes) and a fixed input size. Received: "
            f"{model.input_shape} -> {model.output_shape}"
        )
    return model.zoo_card.preprocess


def _labels(model: Any) -> tuple[str, ...]:
    """Those of the card, where they are the outputs'."""
    labels, count = model.zoo_card.labels, model.output_shape[-1]
    return labels if len(labels) in ((1, 2) if count == 1 else (count,)) else ()


def _sha256(model: Any) -> str:
    """Of the weights in the checkpoint; "" where the model has others by now."""
    files = model.zoo_card.files
    own = next((files[name] for name in (WEIGHTS_FILE, INDEX_FILE) if name in files), None)
    return own.sha256 if own and has_weights_of(model, model.zoo_card) else ""


def _sample(calibrate: Any) -> Any:
    if not isinstance(calibrate, str | os.PathLike):
        return calibrate
    folder = Path(calibrate)
    if not folder.is_dir():
        raise ZooError(f"calibrate must be a folder of pictures. Received: {folder}")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _PICTURES and not path.name.startswith(".")
    )
    if not files:
        raise ZooError(f"{folder} holds no pictures ({', '.join(_PICTURES)}).")
    step = max(1, len(files) // MOST_PICTURES)
    good, problems = [], []
    for path in files[::step][:MOST_PICTURES]:
        try:
            read_pixels(path)
            good.append(str(path))
        except ImageError as error:
            problems.append(str(error))
    if not good:
        raise ZooError(f"{folder} holds no picture that can be read: {problems[0]}")
    if problems:
        _log.warning("%d files of %s are left out: %s", len(problems), folder, problems[0])
    return good


def generated(settings: Preprocess) -> np.ndarray:
    """Pictures of smooth noise for a first comparison, (32, H, W, C) uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (GENERATED, 4, 4, settings.channels))
    rows, columns = (np.linspace(0, 3, side).round().astype(int) for side in settings.size)
    noise = rng.normal(0, 20, (GENERATED, *settings.size, settings.channels))
    return np.clip(coarse[:, rows][:, :, columns] + noise, 0, 255).astype("uint8")


def _batches(x: np.ndarray) -> list[np.ndarray]:
    return [x[start : start + BATCH] for start in range(0, len(x), BATCH)]


def _with_normalization(model: keras.Model, settings: Preprocess) -> keras.Model:
    """The model behind (x * scale - mean) / std, as a normalization of each channel or value."""
    layers = keras.layers
    shape = model.input_shape[1:]
    mean, std = (np.array(values) / settings.scale for values in (settings.mean, settings.std))
    norm = layers.BatchNormalization(epsilon=0.0, center=False, scale=False, name="normalize")
    with dtype_policy("float32"):
        x = pixels = keras.Input(shape, name="pixels")
        if len(mean) == settings.channels:
            x = norm(x)
        else:
            x = layers.Reshape(shape)(norm(layers.Flatten()(x)))
        norm.set_weights([mean, np.square(std)])
        return keras.Model(pixels, model(x), name=model.name)


def _compare(expected: np.ndarray, received: np.ndarray, agreement: Agreement) -> Agreement:
    same = expected.argmax(axis=1) == received.argmax(axis=1)
    difference = np.abs(expected - received).max() / max(np.abs(expected).max(), 1e-30)
    return dataclasses.replace(agreement, top1=float(same.mean()), difference=float(difference))


def _move(made: Path, path: Path) -> None:
    """Puts one of an export's files beside `path`, in place of an earlier one."""
    target = path.with_suffix(made.suffix) if made.suffix else path
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(made, target)
