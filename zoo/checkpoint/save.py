"""A model kept as a checkpoint folder of one's own."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from zoo.checkpoint.card import CARD_FILE, Card, Training
from zoo.checkpoint.files import read_card
from zoo.checkpoint.folder import save_checkpoint
from zoo.checkpoint.present import check_fields, has_weights_of, present_card
from zoo.checkpoint.readme import CURVE_FILE
from zoo.checkpoint.schema import show
from zoo.errors import CheckpointError, ZooError
from zoo.registry import variants

_HUB = "hf://"
_NO_LICENSE = "not stated"
_UNFIT_FOR_TAGS = re.compile(r"[^a-z0-9_-]+")


def save(
    model: keras.Model,
    folder: str | os.PathLike,
    *,
    labels: Iterable[str] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    **card: Any,
) -> Card:
    """Keeps a tuned, converted or new model as a checkpoint folder.

    The folder is what `zoo.load`, `zoo predict` and `zoo publish` take. Its card says what the
    weights began from, and nothing that was not measured: figures of a checkpoint that was trained
    further are dropped. A crash leaves the folder as it was, or one that is refused; never one that
    loads wrongly.

    Args:
        model: keras.Model of `zoo.create`, `zoo.load` or `zoo.convert`, trained further or not; a
            classifier, a backbone or a detector.
        folder: str or path. New, empty, or (with `overwrite`) a checkpoint folder.
        labels: iterable of str, names of the classes, in order; () where they have none; None for
            those on the model's card, where the head is still the card's.
        name: str, "architecture.tag"; None for that of the card where the weights are still its
            own, else for the architecture and the folder's name.
        overwrite: bool, True to replace the checkpoint in `folder`. The version of a name counts
            up where its weights change.
        **card: other fields of `zoo.checkpoint.Card`, where they differ: `preprocess` (needed by
            models of `zoo.create`), `training`, `metrics`, `dtype` ("float16" halves the file),
            `license`, `terms`, `label_ids`, `notes`, `citation`, `version`, `head`,
            `args`, `requires`.

    Returns:
        Card, as written.

    Raises:
        ZooError: the model is not of the zoo, or something about it is missing; the folder is not
            free. Nothing was written.
        CheckpointError: the card is not true of the model, e.g. the labels are of another number;
            or a weight is not finite. Nothing was written.

    Example:

    >>> import tempfile
    >>> model = zoo.load("resnet20", num_classes=2, freeze="body")
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> model.fit(x, y, epochs=3)  # doctest: +SKIP
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     zoo.save(model, f"{folder}/pets", labels=["cat", "dog"]).name
    ...     zoo.load(f"{folder}/pets").zoo_card.labels
    'resnet20.pets'
    ('cat', 'dog')
    """
    if not isinstance(model, keras.Model):
        raise ZooError(f"model must be a model of the zoo. Received: {type(model).__name__}")
    path = _free_folder(folder, overwrite)
    fields = dict(card)
    check_fields(fields)
    for field, value in {"name": name, "labels": _names(labels)}.items():
        if value is not None:
            fields[field] = value
    base = getattr(model, "zoo_card", None)
    architecture = _architecture(model, base, fields)
    if base is None or not has_weights_of(model, base):
        fields.setdefault("name", f"{architecture}.{_tag(architecture, path)}")
        fields.setdefault("training", Training())
        fields.setdefault("dtype", "float32")
        if "version" not in fields:
            fields["version"] = _version(model, path, fields["name"])
    if base is None:
        fields.setdefault("license", _NO_LICENSE)
    complete = present_card(model, base, fields)
    written = save_checkpoint(model, path, complete, source=path.resolve().name)
    if not written.training.curve:  # the picture is of the training before
        (path / CURVE_FILE).unlink(missing_ok=True)
    return written


def _free_folder(folder: Any, overwrite: bool) -> Path:
    """The path of a folder that may be written to."""
    if not isinstance(folder, str | os.PathLike):
        raise ZooError(f"folder must be a path. Received: {show(folder)}")
    if str(folder).startswith(_HUB):
        raise ZooError(
            f"zoo.save writes folders of this machine; zoo.publish sends them to {folder}."
        )
    if isinstance(folder, str) and folder in variants():
        raise ZooError(
            f"zoo.load({folder!r}) is a checkpoint of that architecture, not a folder: choose "
            f"another name. Received: folder={folder!r}"
        )
    path = Path(os.path.expanduser(folder))
    if path.exists() and not path.is_dir():
        raise ZooError(f"{path} is a file: give a folder, new or empty.")
    if (path / CARD_FILE).exists():
        if not overwrite:
            raise ZooError(
                f"{path} holds a checkpoint: give another folder, or overwrite=True to replace it."
            )
    elif path.is_dir() and any(path.iterdir()):
        raise ZooError(
            f"{path} holds other files and no checkpoint, so nothing is written into it: give "
            "another folder, new or empty."
        )
    return path


def _names(labels: Any) -> tuple[str, ...] | None:
    if labels is None:
        return None
    names = None if isinstance(labels, str) or not isinstance(labels, Iterable) else tuple(labels)
    if names is None or not all(isinstance(name, str) for name in names):
        raise ZooError(f"labels must be a list of names. Received: labels={show(labels)}")
    return tuple(str(name) for name in names)  # those of NumPy, too


def _architecture(model: keras.Model, base: Card | None, fields: dict[str, Any]) -> str:
    if base is not None:
        return base.architecture
    if built := getattr(model, "zoo_built", None):
        return built.architecture
    if "name" in fields and "args" in fields:
        return fields["name"].partition(".")[0]
    raise ZooError(
        f"{model.name!r} was not built by zoo.create, zoo.load or zoo.convert, or is a copy that "
        "lost this (clone_model, pickle, a .keras file), so its architecture is not known. Give "
        "name='ARCHITECTURE.TAG' and args={…}, the arguments with which zoo.create builds it; a "
        "network of your own is kept by model.save('NAME.keras')."
    )


def _tag(architecture: str, path: Path) -> str:
    """The folder's name as a tag."""
    name = path.resolve().name.lower().removeprefix(f"{architecture}.")
    return _UNFIT_FOR_TAGS.sub("_", name).strip("_")[:100] or "tuned"


def _version(model: keras.Model, path: Path, name: str) -> int:
    """One more than that of the checkpoint which is replaced, where it is another of this name."""
    try:
        before = read_card(path)
    except CheckpointError:
        return 1
    if before.name != name:
        return 1
    return before.version + (not has_weights_of(model, before))
