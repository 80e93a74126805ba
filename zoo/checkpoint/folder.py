"""Checkpoint folders: `zoo.json`, `model.safetensors` or shards of it, and `README.md`.

Loading runs no code from a file: the card chooses among the architectures of this package, its
arguments are checked one by one, and the weights are read only after their size, hash, names,
shapes and dtypes proved to be those of the model.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

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
from zoo.checkpoint.plan import plan
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
from zoo.errors import CheckpointError
from zoo.models.deferred import build_without_values, fill
from zoo.models.transfer import compare_shapes, warn_of_new_head


def save_checkpoint(
    model: keras.Model,
    folder: str | os.PathLike,
    card: Card,
    *,
    max_shard_size: int = MAX_SHARD_SIZE,
    source: str | None = None,
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
        source: str, what `zoo.load` takes to load it, for its page; None for the card's name.

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
    return write_card(folder, card, contents, source=source)


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
    input_shape: tuple[int | None, ...] | None = None,
    name: str | None = None,
    model_name: str | None = None,
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
        input_shape: tuple of int, (H, W, C) for another size than the card's, (None, None, C) for
            any size, where the weights are not bound to theirs; None for the card's.
        name: str, the name that the card must have; None for any.
        model_name: str, of the model; None for the architecture's. Paths of variables do not
            depend on it.

    Returns:
        keras.Model. Regularizers and constraints are live. Its card is true of it: with the
        arguments that build it, after `num_classes` without labels and figures, and after
        `input_shape` with the preprocessing for that size.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit. Nothing was loaded.
        ZooError: the architecture does not take this `num_classes`, `activation` or `features`, or
            the weights do not take this `input_shape`.

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
    planned = plan(
        card,
        where,
        num_classes=num_classes,
        activation=activation,
        features=features,
        input_shape=input_shape,
        name=model_name,
    )
    model, pretrained = planned.model, planned.pretrained
    arrays = read_weights(folder, card, planned.expected)
    for path in arrays.keys() - pretrained:
        del arrays[path]
    fill(model, arrays)
    new = tuple(v.path for v in model.weights if v.path not in pretrained)
    if new:
        warn_of_new_head(card.name, num_classes, new, len(pretrained))
    model.zoo_card = planned.card
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
