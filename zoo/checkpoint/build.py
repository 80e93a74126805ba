"""The model that a card describes, and whether the card is true of it."""

from typing import Any

import keras

from zoo.checkpoint.card import Card
from zoo.checkpoint.schema import refuse
from zoo.checkpoint.tensors import Spec
from zoo.errors import CheckpointError, ZooError
from zoo.models.transfer import paths_in
from zoo.models.variant import Variant
from zoo.registry import find


def resolve(card: Card, where: str) -> tuple[Variant, dict[str, Any]]:
    """The architecture of a card and its arguments, normalized."""
    try:
        variant = find(card.architecture)
    except ZooError as error:
        raise CheckpointError(f"{where}: architecture: {error}") from None
    try:
        return variant, variant.parse(card.args)
    except ZooError as error:
        raise CheckpointError(f"{where}: args: {error}") from None


def create_model(
    card: Card, where: str, args: dict[str, Any], name: str | None = None
) -> keras.Model:
    """A model of the card's architecture, called `name` or as that."""
    try:
        return find(card.architecture).build(name=name, **args)
    except ValueError as error:  # each may be right and all together not, e.g. too small an image
        raise CheckpointError(f"{where}: args: {error}") from error


def specs_of(model: keras.Model, card: Card, where: str) -> dict[str, Spec]:
    """What the weights file must hold: variable path -> (shape, dtype)."""
    specs = {}
    for variable in model.weights:
        if variable.path in specs:
            refuse(where, f"{card.architecture} has two variables called {variable.path}")
        shape = tuple(int(n) for n in variable.shape)
        half = card.dtype == "float16" and len(shape) >= 2
        specs[variable.path] = shape, "float16" if half else "float32"
    return specs


def check_facts(card: Card, where: str, model: keras.Model, options: dict[str, Any]) -> None:
    """Refuses a card that says, beside the arguments, what is not true of the model."""
    if card.params != (count := model.count_params()):
        refuse(where, f"params must be {count}, as the args say. Received: {card.params}")
    norm = card.batch_norm
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and (
            norm is None or (layer.epsilon, layer.momentum) != (norm.epsilon, norm.momentum)
        ):
            refuse(
                where,
                f"batch_norm must be epsilon {layer.epsilon}, momentum {layer.momentum} as in "
                f"layer {layer.name}. Received: {norm}",
            )
    classes = 0 if options.get("features") else options.get("num_classes")
    # One output may tell two classes apart.
    if card.labels and classes is not None and len(card.labels) not in _counts(classes):
        refuse(where, f"labels must be {classes}, as many as classes. Received: {len(card.labels)}")
    preprocess = card.preprocess
    shape = model.input_shape[1:]
    if len(shape) == 3 and any(
        side not in (None, prepared)
        for side, prepared in zip(shape, (*preprocess.size, preprocess.channels), strict=True)
    ):
        refuse(
            where,
            f"preprocess must give arrays of the model's input shape {shape}. "
            f"Received: size={preprocess.size}, channels={preprocess.channels}",
        )
    paths = [v.path for v in model.weights]
    for layer in card.head:
        if not paths_in([layer], paths):
            refuse(where, f"head: {card.architecture} has no weights in a layer {layer!r}")


def _counts(classes: int) -> tuple[int, ...]:
    """How many labels a model of so many classes may have."""
    return (1, 2) if classes == 1 else (classes,)
