"""The card of a model as it is now, trained further or not."""

import collections
import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from zoo.checkpoint.build import specs_of
from zoo.checkpoint.card import CARD_FILE, INDEX_FILE, KERAS_FILES, Card, FileEntry, Origin
from zoo.checkpoint.files import Measured
from zoo.checkpoint.folder import weight_contents
from zoo.checkpoint.new import REQUIRES, new_card
from zoo.checkpoint.tensors import MAX_SHARD_SIZE
from zoo.errors import UnknownNameError, ZooError

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
    "terms",
    "label_ids",
    "notes",
)
_NEEDED = ("name", "args", "preprocess", "labels", "training", "license")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Refuses fields that a card has not, or that are not its author's."""
    for name in fields:
        if name not in FIELDS:
            raise UnknownNameError("card field", name, FIELDS)


def present_card(model: keras.Model, base: Card | None, fields: Mapping[str, Any]) -> Card:
    """The card of a model as it is now.

    Args:
        model: keras.Model, of the zoo.
        base: Card, that the model had; None for none.
        fields: mapping of str to values, of the card, where they differ from those of `base` or
            are not known from the model; see `FIELDS`.

    Returns:
        Card. What was measured and said of other weights than the model's is dropped.

    Raises:
        ZooError: something about the model is missing; or its weights are not those of `base`,
            and it has no other name or version.

    Example:

    >>> model = zoo.load("resnet20.cifar10")
    >>> present_card(model, model.zoo_card, {"license": "MIT"}).license
    'MIT'
    """
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    if base is None:
        return _first_card(model, fields)
    return _next_card(base, fields, trained=not has_weights_of(model, base))


def has_weights_of(model: keras.Model, card: Card) -> bool:
    """Whether storing the model gives the very files of the card."""
    limit = MAX_SHARD_SIZE if INDEX_FILE in card.files else sys.maxsize
    contents = weight_contents(model, specs_of(model, card, CARD_FILE), limit, CARD_FILE)
    if set(contents) != {name for name in card.files if name not in KERAS_FILES}:
        return False
    return all(_entry(content({})) == card.files[name] for name, content in contents.items())


def _first_card(model: keras.Model, fields: dict[str, Any]) -> Card:
    """The card of a model that came without one."""
    if built := getattr(model, "zoo_built", None):
        fields.setdefault("args", built.args)
    if preprocess := getattr(model, "zoo_preprocess", None):
        fields.setdefault("preprocess", preprocess)
    if missing := [name for name in _NEEDED if name not in fields]:
        raise ZooError(
            f"{model.name} has no card yet: give {', '.join(f'{name}=…' for name in missing)}."
        )
    return new_card(model, **fields)


def _next_card(base: Card, fields: dict[str, Any], trained: bool) -> Card:
    """The card of a model that has one, and perhaps other weights by now."""
    if "label_ids" not in fields and fields.get("labels", base.labels) != base.labels:
        fields["label_ids"] = ()
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
    if "notes" not in fields:  # on the training of before, whose card has them
        card = dataclasses.replace(card, notes=())
    training = dataclasses.replace(
        card.training,
        origin=Origin.of(base),
        backend=card.training.backend or keras.backend.backend(),
    )
    return dataclasses.replace(card, training=training, requires=REQUIRES)


def _entry(pieces: Iterable[bytes]) -> FileEntry:
    measured = Measured(pieces)
    collections.deque(measured, maxlen=0)
    return measured.entry
