"""Checkpoint folders: `zoo.json`, `model.safetensors` or shards of it, and `README.md`.

Loading runs no code from a file: the card chooses among the architectures of this package, its
arguments are checked one by one, and the weights are read only after their size, hash, names,
shapes and dtypes proved to be those of the model.
"""

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.build import check_facts, create_model, resolve, specs_of
from zoo.checkpoint.card import (
    CARD_FILE,
    INDEX_FILE,
    WEIGHTS_FILE,
    Card,
    FileEntry,
    parse_card,
    to_json,
)
from zoo.checkpoint.files import Content, read_card, write_files
from zoo.checkpoint.readme import CURVE_FILE, readme
from zoo.checkpoint.schema import refuse
from zoo.checkpoint.tensors import (
    MAX_SHARD_SIZE,
    Spec,
    check_sizes,
    encode,
    encode_index,
    read_weights,
    split,
)
from zoo.errors import CheckpointError, ZooError
from zoo.models.deferred import TooManyWeights, build_without_values, fill
from zoo.models.transfer import compare_shapes, first_names, paths_in

_log = logging.getLogger("zoo")


def save_checkpoint(
    model: keras.Model,
    folder: str | os.PathLike,
    card: Card,
    *,
    max_shard_size: int = MAX_SHARD_SIZE,
) -> Card:
    """Writes a model as a checkpoint folder.

    The card goes last, and names the hash of the weights: a crash in between leaves a folder that
    loads as before or that `load_checkpoint` refuses, never one that loads wrongly.

    Args:
        model: keras.Model, built by `zoo.create(card.architecture, **card.args)`, under any dtype
            policy.
        folder: str or path, made where it does not exist; files in it are replaced, and files that
            only the older card names are removed.
        card: Card, whose `files` and `params` are filled in, whatever they say. With
            `dtype="float16"`, tensors of two or more dimensions are stored in float16; vectors
            stay float32.
        max_shard_size: int, bytes of tensors that one file may hold; more are written in shards,
            by the convention of `model.safetensors.index.json`. No tensor is split.

    Returns:
        Card, as written.

    Raises:
        CheckpointError: the model is not the card's, or has weights that are not finite or too
            large for float16. Nothing was written.

    Example:

    >>> import os, tempfile
    >>> model = zoo.load("resnet20.cifar10")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(model, folder, model.zoo_card) == model.zoo_card
    ...     sorted(os.listdir(folder))
    True
    ['README.md', 'model.safetensors', 'zoo.json']
    """
    folder = Path(folder)
    where = str(folder / CARD_FILE)
    # First with an empty file: a card that would be refused must not cost a conversion.
    card = dataclasses.replace(
        card, params=model.count_params(), files={WEIGHTS_FILE: FileEntry(0, "0" * 64)}
    )
    card = parse_card(to_json(card).encode(), where)
    variant, args = resolve(card, where)
    own = build_without_values(lambda: create_model(card, where, args))
    expected, received = specs_of(own, card, where), specs_of(model, card, where)
    problems = compare_shapes(*(_shapes(specs) for specs in (received, expected)))
    if problems:
        refuse(where, f"the model is not {card.architecture} with the args: it {problems[0]}")
    check_facts(card, where, own, variant.options | args)

    for variable in model.weights:
        _stored(variable, expected[variable.path][1], where)  # refused before anything is written
    contents = weight_contents(model, expected, max_shard_size, where)
    return write_card(folder, card, contents)


def weight_contents(
    model: keras.Model, expected: Mapping[str, Spec], max_shard_size: int, where: str
) -> dict[str, Content]:
    """The files of a model's weights, and the index where they are in shards.

    Args:
        model: whose weights are stored.
        expected: path -> (shape, dtype), of all of them.
        max_shard_size: see `save_checkpoint`.
        where: names the checkpoint in errors.
    """
    variables = {v.path: v for v in model.weights}

    def stored(path: str) -> np.ndarray:
        return _stored(variables[path], expected[path][1], where)

    shards = split(expected, max_shard_size)

    def content(names: list[str]) -> Content:
        return lambda _: encode(names, expected, stored)

    contents = {file: content(names) for file, names in shards.items()}
    if len(shards) > 1:
        contents[INDEX_FILE] = lambda _: [encode_index(shards, expected)]
    return contents


def write_card(
    folder: str | os.PathLike,
    card: Card,
    contents: Mapping[str, Content] | None = None,
    *,
    source: str | None = None,
) -> Card:
    """Writes `README.md` and `zoo.json`, behind the files that the card is to vouch for.

    Args:
        folder: of the checkpoint.
        card: `files` is kept where `contents` is None.
        contents: name -> content of all files of the card.
        source: what `zoo.load` takes to load it; None for the card's name.

    Returns:
        The card as written.
    """
    folder = Path(folder)
    older = _files_before(folder)
    curve = bool(card.training.curve) and (folder / CURVE_FILE).exists()

    def complete(entries: Mapping[str, FileEntry]) -> Card:
        files = card.files if contents is None else {name: entries[name] for name in contents}
        return dataclasses.replace(card, files=files)

    entries = write_files(
        folder,
        {
            **(contents or {}),
            "README.md": lambda entries: [readme(complete(entries), source, curve).encode()],
            CARD_FILE: lambda entries: [to_json(complete(entries)).encode()],
        },
    )
    card = complete(entries)
    for name in older - card.files.keys():
        (folder / name).unlink(missing_ok=True)
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

    `zoo_new` names the weights that are not the checkpoint's: (), or those of a new head.

    Args:
        folder: str or path, of the checkpoint.
        num_classes: int, None for the published classifier; K for a new one of K classes, whose
            layers (`card.head`) are freshly initialized, also where K is as before; 0 for pooled
            features.
        activation: str, of the output: "softmax", "sigmoid", None for logits, or "card" for what
            the checkpoint was published with.
        features: bool, True for the outputs of the stages, {"P2": stride 4, …}, in place of the
            head.
        name: str, the name that the card must have; None for any.

    Returns:
        keras.Model. Regularizers and constraints are live. Its card is true of it: after
        `num_classes` without labels and figures, and with the arguments that build it.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit. Nothing was loaded.
        ZooError: the architecture does not take this `num_classes`, `activation` or `features`.

    Example:

    >>> model = load_checkpoint("weights/resnet20.cifar10", num_classes=5)
    >>> model.zoo_new
    ('head_dense/kernel', 'head_dense/bias')
    """
    folder = Path(folder)
    where = str(folder / CARD_FILE)
    card = read_card(folder)
    if name is not None and card.name != name:
        refuse(where, f"name must be {name!r} here. Received: {card.name!r}")
    check_sizes(folder, card)
    variant, args = resolve(card, where)
    wanted: dict[str, Any] = {} if activation == "card" else {"activation": activation}
    if num_classes is not None:
        wanted["num_classes"] = num_classes
    if features:
        if num_classes is not None:
            raise ZooError("features and num_classes exclude each other: features have no head.")
        wanted["features"] = features
    wanted = variant.parse(wanted)

    options = variant.options | args
    own_args = args | {k: v for k, v in wanted.items() if k == "activation"}
    try:
        model = own = build_without_values(
            lambda: create_model(card, where, own_args), most=card.params
        )
    except TooManyWeights:
        refuse(where, f"params must be those of the args, which are more. Received: {card.params}")
    check_facts(card, where, own, options)
    expected = specs_of(own, card, where)
    pretrained = set(expected)
    if features:
        model = build_without_values(lambda: create_model(card, where, args | wanted))
        specs = specs_of(model, card, where)
        pretrained = set(specs)
        if not specs.items() <= expected.items():
            refuse(where, "the weights of its feature pyramid are not those of the model")
    if num_classes is not None:
        if wanted["num_classes"] != options["num_classes"]:
            model = build_without_values(lambda: create_model(card, where, args | wanted))
        if num_classes and not card.head:
            refuse(where, "head is empty: this checkpoint cannot take a new one (num_classes)")
        pretrained = _body(card, where, expected, model)
    arrays = read_weights(folder, card, expected)
    for path in arrays.keys() - pretrained:
        del arrays[path]
    fill(model, arrays)
    new = tuple(v.path for v in model.weights if v.path not in pretrained)
    if new:
        _log.warning(
            "NEW head: %s has %d classes now; %s start fresh, the other %d tensors are pretrained.",
            card.name,
            num_classes,
            first_names(new),
            len(pretrained),
        )
    model.zoo_card = _card_now(card, args, wanted, num_classes)
    model.zoo_new = new
    return model


def _shapes(specs: Mapping[str, Spec]) -> dict[str, tuple[int, ...]]:
    return {path: shape for path, (shape, _) in specs.items()}


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


def _files_before(folder: Path) -> set[str]:
    """Names of the files that the card of an older checkpoint vouches for."""
    try:
        return set(read_card(folder).files)
    except CheckpointError:
        return set()


def _card_now(
    card: Card, args: dict[str, Any], wanted: dict[str, Any], num_classes: int | None
) -> Card:
    """The card of a model that was asked for with other arguments, as far as it still holds."""
    if wanted:
        card = dataclasses.replace(card, args=args | wanted)
    if num_classes is not None or "features" in wanted:
        card = dataclasses.replace(card, labels=(), label_ids=(), metrics=())
    if num_classes == 0 or "features" in wanted:
        card = dataclasses.replace(card, head=())
    return card


def _body(card: Card, where: str, expected: dict[str, Spec], model: keras.Model) -> set[str]:
    """The names of the pretrained tensors in a model with another head: all but the head's."""
    body = expected.keys() - paths_in(card.head, expected)
    new = specs_of(model, card, where)
    mine = new.keys() - paths_in(card.head, new)
    if body != mine or any(new[path] != expected[path] for path in body):
        refuse(where, "head does not name every layer that depends on the number of classes")
    return body
