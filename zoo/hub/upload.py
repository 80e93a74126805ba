"""What is to be published: a folder with the files as they will go up, and the card's truth."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.card import KERAS_FILES, Card, FileEntry
from zoo.checkpoint.files import read_card
from zoo.checkpoint.folder import load_checkpoint, save_checkpoint, write_card
from zoo.checkpoint.present import check_fields, present_card
from zoo.checkpoint.readme import CURVE_FILE
from zoo.checkpoint.tensors import MAX_SHARD_SIZE
from zoo.errors import ZooError
from zoo.formats.export import save_keras_files


@dataclass(frozen=True)
class Upload:
    """A folder that is ready to go up.

    Attributes:
        card: as in the folder.
        model: as loaded from the folder.
        rounding: largest relative change of a tensor by its storage, ||stored - w|| / ||w||.
        remark: why there are no files for Keras without the zoo; "" where there are.
    """

    card: Card
    model: keras.Model
    rounding: float
    remark: str


def prepare_upload(
    source: keras.Model | str | os.PathLike,
    folder: Path,
    address: str,
    fields: Mapping[str, Any],
    max_shard_size: int = MAX_SHARD_SIZE,
) -> Upload:
    """Writes all files of a checkpoint as they are to be published, and loads them again.

    Args:
        source: model, or the folder of a checkpoint, which stays as it is.
        folder: empty; gets the files.
        address: "hf://org/name", for the README.
        fields: of the card, where they differ from that of the model or are not known from it;
            see `zoo.checkpoint.present.FIELDS`. `metrics` may be a function of the stored model
            that measures them.
        max_shard_size: see `save_checkpoint`.

    Raises:
        ZooError: something about the model is missing; or its weights are not those of its
            card, and it has no other name or version.
        CheckpointError: the card is not true of the model, or the folder is damaged.
    """
    check_fields(fields)
    if isinstance(source, keras.Model):
        model, base = source, getattr(source, "zoo_card", None)
    else:
        model, base = load_checkpoint(source), read_card(source)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(Path(source) / CURVE_FILE, folder)
    metrics = fields.get("metrics")
    card = present_card(model, base, fields)
    if callable(metrics):
        card = dataclasses.replace(card, metrics=())
    card = save_checkpoint(model, folder, card, max_shard_size=max_shard_size)
    stored = load_checkpoint(folder)
    if callable(metrics):
        card = dataclasses.replace(card, metrics=tuple(metrics(stored)))
    remark = ""
    try:
        save_keras_files(stored, folder)
    except ZooError as error:
        remark = str(error)
    else:
        keras_files = {name: entry_of(folder / name) for name in KERAS_FILES}
        card = dataclasses.replace(card, files={**card.files, **keras_files})
    write_card(folder, card, source=address)
    card = read_card(folder)
    stored.zoo_card = card
    rounding = _rounding(model, stored) if card.dtype == "float16" else 0.0
    return Upload(card, stored, rounding, remark)


def entry_of(path: Path) -> FileEntry:
    """Size and hash of a file."""
    with open(path, "rb") as file:
        return FileEntry(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def weights_of(card: Card) -> dict[str, FileEntry]:
    """The entries of the files that hold the weights."""
    return {name: card.files[name] for name in card.weight_files}


def _rounding(model: keras.Model, stored: keras.Model) -> float:
    changes = [0.0]
    for one, other in zip(model.weights, stored.weights, strict=True):
        before, after = (
            keras.ops.convert_to_numpy(v.value).astype("float32") for v in (one, other)
        )
        if norm := np.linalg.norm(before):
            changes.append(float(np.linalg.norm(after - before) / norm))
    return max(changes)
