"""Checkpoint folders: `zoo.json`, `model.safetensors` and `README.md`.

Loading runs no code from a file: the card chooses among the architectures of this package, its
arguments are checked one by one, and the weights are read only after their size, hash, names,
shapes and dtypes proved to be those of the model.
"""

import dataclasses
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import CheckpointError, ZooError
from zoo.hub.card import CARD_FILE, WEIGHTS_FILE, Card, parse_card, to_json
from zoo.hub.deferred import build_without_values, fill
from zoo.hub.files import (
    Spec,
    compare_names,
    encode,
    entry_of,
    few,
    read_file,
    read_tensors,
    write_files,
)
from zoo.hub.model_card import readme
from zoo.hub.schema import MAX_BYTES, refuse
from zoo.models.arguments import parse_arguments
from zoo.models.registry import Variant, create, find

_log = logging.getLogger("zoo")


def read_card(folder: str | os.PathLike) -> Card:
    """Reads the card of a checkpoint folder.

    Raises:
        CheckpointError: there is none, or it is not as `zoo.hub.card.Card` says.
    """
    path = Path(folder) / CARD_FILE
    return parse_card(read_file(path, MAX_BYTES), str(path))


def save_checkpoint(model: keras.Model, folder: str | os.PathLike, card: Card) -> Card:
    """Writes a model as a checkpoint folder.

    The card goes last, and names the hash of the weights: a crash in between leaves a folder that
    loads as before or that `load_checkpoint` refuses, never one that loads wrongly.

    Args:
        model: built by `zoo.create(card.architecture, **card.args)`, under any dtype policy.
        folder: made where it does not exist; files in it are replaced.
        card: `files` and `params` are filled in, whatever they say. With `dtype="float16"`,
            tensors of two or more dimensions are stored in float16; vectors stay float32.

    Returns:
        The card as written.

    Raises:
        CheckpointError: the model is not the card's, or has weights that are not finite or too
            large for float16. Nothing was written.
    """
    folder = Path(folder)
    where = str(folder / CARD_FILE)
    # First with an empty file: a card that would be refused must not cost a conversion.
    card = dataclasses.replace(card, params=model.count_params())
    card = _with_weights(card, b"", where)
    variant, args = _resolve(card, where)
    own = build_without_values(lambda: _create(card, where, args))
    _check_facts(card, where, own, variant.options | args)
    expected, given = _expected(own, card, where), _expected(model, card, where)
    problems = compare_names(given, expected) or [
        f"has {name} of shape {given[name][0]}, not {expected[name][0]}"
        for name in expected
        if given[name] != expected[name]
    ]
    if problems:
        refuse(where, f"the model is not {card.architecture} with the args: it {problems[0]}")
    data = encode({v.path: _stored(v, expected[v.path][1], where) for v in model.weights})
    card = _with_weights(card, data, where)
    write_files(
        folder,
        {
            WEIGHTS_FILE: data,
            "README.md": readme(card).encode(),
            CARD_FILE: to_json(card).encode(),
        },
    )
    return card


def load_checkpoint(
    folder: str | os.PathLike,
    *,
    num_classes: int | None = None,
    activation: str | None = "card",
    features: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Builds the model of a checkpoint folder, with its weights and its card as `zoo_card`.

    Args:
        folder: of the checkpoint.
        num_classes: None for the published classifier; K for a new one of K classes, whose layers
            (`card.head`) are freshly initialized, also where K is as before; 0 for pooled features.
        activation: of the output: "softmax", "sigmoid", None for logits, or "card" for what the
            checkpoint was published with.
        features: True for the outputs of the stages, {"P2": stride 4, …}, in place of the head.
        name: the name that the card must have; None for any.

    Returns:
        The model. Regularizers and constraints are live. After `num_classes`, the labels of its
        card are empty.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit. Nothing was loaded.
        ZooError: the architecture does not take this `num_classes`, `activation` or `features`.
    """
    folder = Path(folder)
    where = str(folder / CARD_FILE)
    card = read_card(folder)
    if name is not None and card.name != name:
        refuse(where, f"name must be {name!r} here. Received: {card.name!r}")
    variant, args = _resolve(card, where)
    wanted: dict[str, Any] = {} if activation == "card" else {"activation": activation}
    if num_classes is not None:
        wanted["num_classes"] = num_classes
    if features:
        if num_classes is not None:
            raise ZooError("features and num_classes exclude each other: features have no head.")
        wanted["features"] = features
    wanted = parse_arguments(card.architecture, tuple(variant.options), wanted)

    options = variant.options | args
    model = own = build_without_values(
        lambda: _create(card, where, args | {k: v for k, v in wanted.items() if k == "activation"})
    )
    _check_facts(card, where, own, options)
    expected = _expected(own, card, where)
    pretrained = expected
    if features:
        model = build_without_values(lambda: _create(card, where, args | wanted))
        pretrained = _expected(model, card, where)
        if not pretrained.items() <= expected.items():
            refuse(where, "the weights of its feature pyramid are not those of the model")
    if num_classes is not None:
        if wanted["num_classes"] != options["num_classes"]:
            model = build_without_values(lambda: _create(card, where, args | wanted))
        if num_classes and not card.head:
            refuse(where, "head is empty: this checkpoint cannot take a new one (num_classes)")
        pretrained = _body(card, where, expected, model)
    arrays = read_tensors(folder / WEIGHTS_FILE, card.files[WEIGHTS_FILE], expected)
    fill(model, {path: arrays[path] for path in pretrained})
    if features or num_classes is not None:
        card = dataclasses.replace(card, labels=())
    if num_classes is not None:
        new = [v.path for v in model.weights if v.path not in pretrained]
        if new:
            _log.warning(
                "NEW head: %s has %d classes now; %s start fresh, the other %d tensors are "
                "pretrained.",
                card.name,
                num_classes,
                few(new),
                len(pretrained),
            )
    model.zoo_card = card
    return model


def _resolve(card: Card, where: str) -> tuple[Variant, dict[str, Any]]:
    """The architecture of a card and its arguments, normalized."""
    try:
        variant = find(card.architecture)
    except ZooError as error:
        raise CheckpointError(f"{where}: architecture: {error}") from None
    try:
        return variant, parse_arguments(card.architecture, tuple(variant.options), card.args)
    except ZooError as error:
        raise CheckpointError(f"{where}: args: {error}") from None


def _create(card: Card, where: str, args: dict[str, Any]) -> keras.Model:
    try:
        return create(card.architecture, **args)
    except ValueError as error:  # each may be right and all together not, e.g. too small an image
        raise CheckpointError(f"{where}: args: {error}") from error


def _expected(model: keras.Model, card: Card, where: str) -> dict[str, Spec]:
    """What the weights file must hold: variable path -> (shape, dtype)."""
    specs = {}
    for variable in model.weights:
        if variable.path in specs:
            refuse(where, f"{card.architecture} has two variables called {variable.path}")
        shape = tuple(int(n) for n in variable.shape)
        half = card.dtype == "float16" and len(shape) >= 2
        specs[variable.path] = shape, "float16" if half else "float32"
    return specs


def _stored(variable: keras.Variable, dtype: str, where: str) -> np.ndarray:
    value = keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))
    if not np.isfinite(value).all():
        refuse(where, f"{variable.path} has values that are not finite: nothing was written")
    with np.errstate(over="ignore"):
        stored = value.astype(dtype)
    if not np.isfinite(stored).all():
        refuse(
            where,
            f"{variable.path} reaches {np.abs(value).max():.3g}, too large for {dtype}: nothing "
            'was written; store it with dtype="float32"',
        )
    return stored


def _with_weights(card: Card, data: bytes, where: str) -> Card:
    """The card with this file, as it will be read back."""
    card = dataclasses.replace(card, files={WEIGHTS_FILE: entry_of(data)})
    return parse_card(to_json(card).encode(), where)


def _check_facts(card: Card, where: str, model: keras.Model, options: dict[str, Any]) -> None:
    """What the card says beside the arguments must be true of the model."""
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
    classes = options.get("num_classes")
    if card.labels and classes is not None and len(card.labels) != classes:
        refuse(where, f"labels must be {classes}, as many as classes. Received: {len(card.labels)}")
    how = card.preprocess
    shape = model.input_shape[1:]
    if len(shape) == 3 and any(
        side not in (None, given)
        for side, given in zip(shape, (*how.size, how.channels), strict=True)
    ):
        refuse(
            where,
            f"preprocess must give arrays of the model's input shape {shape}. "
            f"Received: size={how.size}, channels={how.channels}",
        )
    paths = [v.path for v in model.weights]
    for layer in card.head:
        if not _of_layers([layer], paths):
            refuse(where, f"head: {card.architecture} has no weights in a layer {layer!r}")


def _body(card: Card, where: str, expected: dict[str, Spec], model: keras.Model) -> set[str]:
    """The names of the pretrained tensors in a model with another head: all but the head's."""
    body = expected.keys() - _of_layers(card.head, expected)
    new = _expected(model, card, where)
    mine = new.keys() - _of_layers(card.head, new)
    if body != mine or any(new[path] != expected[path] for path in body):
        refuse(where, "head does not name every layer that depends on the number of classes")
    return body


def _of_layers(layers: Iterable[str], paths: Iterable[str]) -> set[str]:
    starts = tuple(f"{layer}/" for layer in layers)
    return {path for path in paths if path.startswith(starts)}
