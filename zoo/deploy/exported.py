"""An exported file with what makes sense of it: labels, preprocessing, where it comes from."""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.checkpoint.schema import parse_json, read_record
from zoo.deploy.litert import LITERT
from zoo.deploy.onnx import ONNX
from zoo.deploy.openvino import OPENVINO
from zoo.deploy.runtime import Run, Runtime
from zoo.deploy.saved_model import SAVED_MODEL
from zoo.deploy.torch import TORCH
from zoo.errors import MissingFileError, ZooError
from zoo.outputs import ranked, to_probabilities
from zoo.preprocessing import Preprocess, preprocess

RUNTIMES = {each.name: each for each in (OPENVINO, ONNX, LITERT, SAVED_MODEL, TORCH)}


@dataclass(frozen=True)
class Agreement:
    """An exported file against its model, on the same pictures.

    Attributes:
        pictures: int, how many.
        real: bool, whether they were real ones.
        top1: float, share of them whose first class is the same.
        difference: float, greatest difference of an output, as a share of the greatest output.
    """

    pictures: int
    real: bool
    top1: float
    difference: float


@dataclass(frozen=True)
class Exported:
    """The card of an exported file, kept as JSON beside it.

    Attributes:
        format: str, a key of `RUNTIMES`.
        precision: str, of the weights.
        source: str, name of the checkpoint; "" for a model without one.
        version: int, of the checkpoint; 0 for a model without one.
        sha256: str, of the checkpoint's weights; "" likewise.
        activation: str, of the outputs: "softmax", "sigmoid" or "linear".
        labels: tuple of str, of the outputs.
        preprocess: Preprocess, for `zoo.preprocess`.
        normalizes: bool, whether the file itself applies scale, mean and deviation.
        agreement: Agreement, with the model.
    """

    format: str
    precision: str
    source: str
    version: int
    sha256: str
    activation: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    normalizes: bool
    agreement: Agreement


@dataclass(frozen=True)
class ExportedModel:
    """An exported file, ready to run.

    Attributes:
        card: Exported.
        run: function, (N, H, W, C) float32 as `inputs` gives it -> (N, classes).
    """

    card: Exported
    run: Run

    def inputs(self, images: Any) -> np.ndarray:
        """Pictures as the file takes them, (N, H, W, C) float32.

        Args:
            images: as for `zoo.preprocess`.
        """
        return preprocess(input_settings(self.card), images)

    def predict(self, images: Any, top: int = 5) -> list[list[tuple[str, float]]]:
        """The most probable classes of each picture, as `zoo.predict` gives them.

        Args:
            images: as for `zoo.preprocess`.
            top: int, classes of a picture at most.
        """
        outputs = self(images).astype("float64")
        labels = self.card.labels or tuple(f"class {i}" for i in range(outputs.shape[1]))
        return ranked(to_probabilities(outputs, self.card.activation), labels, top)

    def __call__(self, images: Any) -> np.ndarray:
        """Outputs (N, classes) for pictures of any size, as `zoo.preprocess` takes them."""
        return np.asarray(self.run(np.ascontiguousarray(self.inputs(images), "float32")))


def input_settings(card: Exported) -> Preprocess:
    """What remains to be done before the file: all, or resizing and cropping alone."""
    settings = card.preprocess
    if not card.normalizes:
        return settings
    nothing, ones = (0.0,) * settings.channels, (1.0,) * settings.channels
    return dataclasses.replace(settings, scale=1.0, mean=nothing, std=ones)


def card_file(path: Path) -> Path:
    """Where the card of an exported file is: NAME.zoo.json beside it."""
    return path.with_name(f"{path.name}.zoo.json")


def write_card(path: Path, card: Exported) -> None:
    """Writes the card of an exported file."""
    card_file(path).write_text(json.dumps(dataclasses.asdict(card), indent=2) + "\n")


def read_card(path: Path) -> Exported:
    """The card of an exported file.

    Raises:
        MissingFileError: no such file, or no card beside it.
        ZooError: the card is damaged.
    """
    if not path.exists():
        raise MissingFileError(f"{path} does not exist.")
    file = card_file(path)
    if not file.exists():
        raise MissingFileError(f"{path} has no {file.name} beside it, as `zoo export` writes it.")
    return read_record(Exported, parse_json(file.read_bytes(), str(file)), str(file))


def load_exported(path: str | os.PathLike) -> ExportedModel:
    """Opens an exported file in its own runtime.

    Args:
        path: str or path, of what `zoo.export` has written.

    Returns:
        ExportedModel, a function of pictures.

    Raises:
        MissingFileError: the file or its card is missing.
        ZooError: its runtime is not installed, or cannot read it.

    Example:

    >>> net = zoo.deploy.load_exported("seqnet18.xml")  # doctest: +SKIP
    >>> net("cat.png").shape  # doctest: +SKIP
    (1, 10)
    """
    path = Path(path)
    card = read_card(path)
    runtime: Runtime = RUNTIMES[card.format]
    runtime.need(runtime.reads)
    for suffix in runtime.parts:
        if not path.with_suffix(suffix).exists():
            raise MissingFileError(f"{path.with_suffix(suffix)} is missing: it belongs to {path}.")
    try:
        return ExportedModel(card, runtime.open(path))
    except Exception as error:  # each runtime has errors of its own
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else type(error).__name__
        raise ZooError(f"{path} is no file that {card.format} can read: {reason}") from error
