"""What is to be published: a folder with the files as they will go up, and the card's truth."""

import collections
import contextlib
import dataclasses
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.build import specs_of
from zoo.checkpoint.card import (
    CARD_FILE,
    INDEX_FILE,
    KERAS_FILES,
    Card,
    FileEntry,
    Origin,
)
from zoo.checkpoint.files import Measured, read_card
from zoo.checkpoint.folder import (
    load_checkpoint,
    save_checkpoint,
    weight_contents,
    write_card,
)
from zoo.checkpoint.new import REQUIRES, new_card
from zoo.checkpoint.readme import CURVE_FILE
from zoo.checkpoint.tensors import MAX_SHARD_SIZE
from zoo.errors import UnknownNameError, ZooError
from zoo.formats.export import save_keras_files

# Fields of a card that its author may set; the others follow from the model.
FIELDS = (
    "name",
    "version",
    "args",
    "preprocess",
    "labels",
    "head",
    "dtype",
    "metrics",
    "training",
    "license",
    "citation",
    "requires",
)
_NEEDED = ("name", "args", "preprocess", "labels", "training", "license")


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
            see `FIELDS`. `metrics` may be a function of the stored model that measures them.
        max_shard_size: see `save_checkpoint`.

    Raises:
        ZooError: something about the model is missing; or its weights are not those of its
            card, and it has no other name or version.
        CheckpointError: the card is not true of the model, or the folder is damaged.
    """
    for name in fields:
        if name not in FIELDS:
            raise UnknownNameError("card field", name, FIELDS)
    if isinstance(source, keras.Model):
        model, base = source, getattr(source, "zoo_card", None)
        trained = base is not None and not _has_weights_of(model, base)
    else:
        trained = False
        model, base = load_checkpoint(source), read_card(source)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(Path(source) / CURVE_FILE, folder)
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    metrics = fields.get("metrics")
    card = _of_new_model(model, fields) if base is None else _of_known(base, fields, trained)
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


def _of_new_model(model: keras.Model, fields: dict[str, Any]) -> Card:
    """The card of a model that came without one."""
    if missing := [name for name in _NEEDED if name not in fields]:
        raise ZooError(
            f"{model.name} has no card yet: give {', '.join(f'{name}=…' for name in missing)}."
        )
    return new_card(model, **fields)


def _of_known(base: Card, fields: dict[str, Any], trained: bool) -> Card:
    """The card of a model that has one, and perhaps other weights by now: what was measured and
    said of the old ones is dropped."""
    card = dataclasses.replace(base, **fields)
    if not trained and card.dtype == base.dtype:
        return card
    if card.name == base.name and card.version <= base.version:
        raise ZooError(
            f"The weights are not those of {base.name}, version {base.version}, and a published "
            f"name keeps its weights. Give name='{base.architecture}.TAG' with a tag of yours; "
            f"or, if {base.name} is yours, version={base.version + 1}."
        )
    if card.name != base.name and "version" not in fields:
        card = dataclasses.replace(card, version=1)
    if "metrics" not in fields:
        card = dataclasses.replace(card, metrics=())
    if not trained:
        return card
    if "training" not in fields:
        raise ZooError(
            f"The model was trained beyond {base.name}. Describe that: "
            'training=zoo.checkpoint.Training(data="…", epochs=…).'
        )
    if "labels" not in fields and not base.labels and base.head:
        raise ZooError(
            "The classifier is new and its classes have no names. Give labels=[…], or labels=() "
            "if there are none."
        )
    training = dataclasses.replace(
        card.training,
        origin=Origin.of(base),
        backend=card.training.backend or keras.backend.backend(),
    )
    return dataclasses.replace(card, training=training, requires=REQUIRES)


def _has_weights_of(model: keras.Model, card: Card) -> bool:
    """Whether storing the model gives the very files of the card."""
    limit = MAX_SHARD_SIZE if INDEX_FILE in card.files else sys.maxsize
    contents = weight_contents(model, specs_of(model, card, CARD_FILE), limit, CARD_FILE)
    if set(contents) != {name for name in card.files if name not in KERAS_FILES}:
        return False
    return all(_entry(content({})) == card.files[name] for name, content in contents.items())


def _entry(pieces: Iterable[bytes]) -> FileEntry:
    measured = Measured(pieces)
    collections.deque(measured, maxlen=0)
    return measured.entry


def _rounding(model: keras.Model, stored: keras.Model) -> float:
    changes = [0.0]
    for one, other in zip(model.weights, stored.weights, strict=True):
        before, after = (
            keras.ops.convert_to_numpy(v.value).astype("float32") for v in (one, other)
        )
        if norm := np.linalg.norm(before):
            changes.append(float(np.linalg.norm(after - before) / norm))
    return max(changes)
