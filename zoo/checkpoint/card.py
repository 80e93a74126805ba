"""The card of a checkpoint: everything about it but the weights, kept in `zoo.json`."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zoo.checkpoint.schema import optional, parse_json, read_record, refuse, show
from zoo.preprocessing import Preprocess

ZOO_FORMAT = 1
CARD_FILE = "zoo.json"
# The weights are in one file, or in numbered shards and an index of them.
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
# For `keras.saving.load_model` without the zoo; loading never opens them.
KERAS_FILES = ("config.json", "metadata.json", "model.weights.h5")
FILES = (WEIGHTS_FILE, INDEX_FILE, *KERAS_FILES)

_NAME = re.compile(r"[a-z0-9_]{1,100}\.[a-z0-9_-]{1,100}")
_SHARD = re.compile(r"model-[0-9]{5}-of-[0-9]{5}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_SIDE = 4096  # pixels: no card makes `zoo.predict` fill the memory with one picture
_NESTED = (Mapping, list, tuple)

# What the arguments of architectures are made of; `zoo.models.options` judges them.
Argument = None | bool | int | float | str | tuple[int | None, ...]


@dataclass(frozen=True)
class FileEntry:
    """A file of a checkpoint.

    Attributes:
        size: int, bytes.
        sha256: str, 64 hexadecimal digits.

    Example:

    >>> zoo.card("seqnet50.cifar10").files["model.safetensors"].size > 1_000_000
    True
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class BatchNorm:
    """Constants of every BatchNormalization layer; they are not among the weights.

    Attributes:
        epsilon: float, added to variances.
        momentum: float from 0 to 1, of the moving statistics.

    Example:

    >>> zoo.card("seqnet50.cifar10").batch_norm
    BatchNorm(epsilon=1e-05, momentum=0.9)
    """

    epsilon: float
    momentum: float


@dataclass(frozen=True)
class Metric:
    """A figure that this project measured.

    Attributes:
        dataset: str, the data set.
        split: str, the part of it, e.g. "test".
        name: str, e.g. "top1".
        value: float, e.g. 0.87.
        n: int, number of examples.
        command: str, what gives the figure again.

    Example:

    >>> metric = zoo.card("seqnet50.cifar10").metrics[0]
    >>> metric.dataset, metric.split, metric.name, metric.n
    ('cifar10', 'test', 'top1', 10000)
    """

    dataset: str
    split: str
    name: str
    value: float
    n: int
    command: str


@dataclass(frozen=True)
class Origin:
    """The checkpoint whose weights a training began from.

    Attributes:
        name: str, of that checkpoint, "architecture.tag".
        version: int, of that checkpoint.
        data: str, what it was trained on.
        epochs: int, of it and of all that it began from, added up.
        wall_time: float, seconds, added up likewise.

    Example:

    >>> origin = zoo.checkpoint.Origin("plainnet44.mine", 1, "flowers", 20, 3600.0)
    >>> str(origin)
    'plainnet44.mine, version 1 (20 epochs on flowers)'
    """

    name: str
    version: int
    data: str
    epochs: int
    wall_time: float

    def __str__(self) -> str:
        length = [f"{self.epochs} epochs"] if self.epochs else []
        data = [f"on {self.data}"] if self.data else []
        details = " ".join(length + data)
        return f"{self.name}, version {self.version}" + (f" ({details})" if details else "")

    @classmethod
    def of(cls, card: "Card") -> "Origin":
        """What a training from the checkpoint of this card says of it.

        Args:
            card: Card, of the checkpoint.
        """
        last, before = card.training, card.training.origin
        return cls(
            name=card.name,
            version=card.version,
            data=last.data,
            epochs=last.epochs + (before.epochs if before else 0),
            wall_time=last.wall_time + (before.wall_time if before else 0.0),
        )


@dataclass(frozen=True)
class Training:
    """Where the weights come from.

    Attributes:
        recipe: str, name in `training/recipes`; "" for a training by another program, whose other
            fields may be empty, too.
        settings: tuple of str, the "key=value" settings of the recipe.
        commit: str, of the code.
        data: str, name of the data set.
        epochs: int.
        seed: int.
        backend: str, of Keras.
        device: str.
        wall_time: float, seconds.
        recalibrated: int, training images from which the BatchNorm statistics were estimated anew
            after the last step; 0 where they are the moving averages.
        published: str, the paper's figure, in words; "" where there is none.
        curve: tuple of (epoch, training error, test error or None), by epoch.
        origin: Origin, the checkpoint that it began from; None for fresh weights.

    Example:

    >>> zoo.checkpoint.Training(data="flowers", epochs=3).origin is None
    True
    """

    recipe: str = ""
    settings: tuple[str, ...] = ()
    commit: str = ""
    data: str = ""
    epochs: int = 0
    seed: int = 0
    backend: str = ""
    device: str = ""
    wall_time: float = 0.0
    recalibrated: int = 0
    published: str = ""
    curve: tuple[tuple[int, float, float | None], ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True)
class Card:
    """All that is known about a checkpoint.

    Attributes:
        zoo_format: int, version of this format, 1.
        name: str, "architecture.tag".
        version: int, counts the published states of one name, from 1.
        architecture: str; `zoo.create(architecture, **args)` builds the model.
        args: mapping of str to plain values, see `architecture`.
        preprocess: Preprocess, how images become the model's input.
        labels: tuple of str, of the classes, in order; empty where they are unknown, or the head
            is new.
        files: mapping of str to FileEntry, size and hash by name.
        head: tuple of str, names of the layers that depend on the number of classes.
        params: int, number of weights, moving statistics among them.
        dtype: "float32", or "float16" where kernels are stored so (vectors stay float32).
        batch_norm: BatchNorm, None for a model without BatchNormalization.
        metrics: tuple of Metric, measured by this project.
        training: Training, how it was made.
        license: str, of the weights.
        citation: str, what to cite.
        requires: str, what it takes to load it, e.g. "zoo>=0.1".
        terms: str, what the owners of the training data allow; "" where nothing is said.
        label_ids: tuple of str, identifiers of the classes in the data's own naming (WordNet
            synsets), in the order of `labels`; () where there are none.
        notes: tuple of str, what is known to differ, in the training, from the papers or from what
            the options mean today; a sentence each.

    Example:

    >>> card = zoo.card("seqnet50.cifar10")
    >>> card.architecture, card.labels[:3], card.head
    ('seqnet50', ('airplane', 'automobile', 'bird'), ('head_dense',))
    """

    zoo_format: int
    name: str
    version: int
    architecture: str
    args: Mapping[str, Argument]
    preprocess: Preprocess
    labels: tuple[str, ...]
    files: Mapping[str, FileEntry]
    head: tuple[str, ...]
    params: int
    dtype: Literal["float32", "float16"]
    batch_norm: BatchNorm | None
    metrics: tuple[Metric, ...]
    training: Training
    license: str
    citation: str
    requires: str
    terms: str = field(default="", metadata={"optional": True})
    label_ids: tuple[str, ...] = field(default=(), metadata={"optional": True})
    notes: tuple[str, ...] = field(default=(), metadata={"optional": True})

    @property
    def summary(self) -> str:
        """What sets the checkpoint apart among those of its architecture, in a few words."""
        height, width = self.preprocess.size
        words = [f"{height}x{width} pixels"]
        if self.labels:
            words.append(f"{len(self.labels)} classes")
        words += [f"{key}={self.args[key]}" for key in ("width", "units") if key in self.args]
        return ", ".join(words)

    @property
    def weight_files(self) -> tuple[str, ...]:
        """Names of the files with the weights, in order; () where `files` has no complete set."""
        shards = sorted(name for name in self.files if _SHARD.fullmatch(name))
        if not shards and INDEX_FILE not in self.files:
            return (WEIGHTS_FILE,) if WEIGHTS_FILE in self.files else ()
        complete = len(shards) > 1 and shards == shard_names(len(shards))
        if complete and INDEX_FILE in self.files and WEIGHTS_FILE not in self.files:
            return tuple(shards)
        return ()


def shard_names(count: int) -> list[str]:
    """Names of the files of a checkpoint that is in `count` parts."""
    return [f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]


def parse_card(data: bytes, where: str) -> Card:
    """Reads the bytes of a `zoo.json`.

    Args:
        data: bytes, UTF-8 JSON, at most 1 MB.
        where: str, the file's name, for errors.

    Returns:
        Card.

    Raises:
        CheckpointError: anything is not as `Card` says, to the last field.

    Example:

    >>> parse_card(b'{"zoo_format": 1}', "zoo.json")
    Traceback (most recent call last):
    ...
    zoo.errors.CheckpointError: zoo.json: name is missing.
    """
    value = parse_json(data, where)
    # First of all, so that a later format is called that and not a list of unknown fields.
    if isinstance(value, dict) and type(f := value.get("zoo_format")) is int and f > ZOO_FORMAT:
        refuse(where, f"zoo_format {f} needs a newer zoo; this one reads {ZOO_FORMAT}: upgrade it")
    card = read_record(Card, value, where)
    for path, received, allowed, right in _ranges(card):
        if not right:
            refuse(where, f"{path} must be {allowed}. Received: {show(received)}")
    return card


def to_json(card: Card) -> str:
    """The text of `zoo.json`, which `parse_card` reads.

    Args:
        card: Card.

    Returns:
        str.

    Example:

    >>> card = zoo.card("seqnet50.cifar10")
    >>> parse_card(to_json(card).encode(), "zoo.json") == card
    True
    """
    value = dataclasses.asdict(card)
    for name in optional(Card):
        if not value[name]:
            del value[name]
    return _format(value) + "\n"


def _ranges(card: Card) -> Iterator[tuple[str, Any, str, Any]]:
    """(field, what was received, what is allowed, is it right?) beyond the types."""
    preprocess, training = card.preprocess, card.training
    lengths = (*preprocess.size, preprocess.resize)
    yield "zoo_format", card.zoo_format, str(ZOO_FORMAT), card.zoo_format == ZOO_FORMAT
    yield "name", card.name, "'architecture.tag'", _NAME.fullmatch(card.name)
    architecture = card.name.partition(".")[0]
    yield "architecture", card.architecture, repr(architecture), card.architecture == architecture
    yield "version", card.version, "1 or more", card.version >= 1
    yield "params", card.params, "0 or more", card.params >= 0
    allowed = f"integers from 1 to {_MAX_SIDE}"
    yield "preprocess", lengths, allowed, all(1 <= v <= _MAX_SIDE for v in lengths)
    yield "preprocess.scale", preprocess.scale, "other than 0", preprocess.scale
    unique = "different layer names"
    yield "head", card.head, unique, all(card.head) and len(set(card.head)) == len(card.head)
    whole = f"{WEIGHTS_FILE} or all shards and {INDEX_FILE}"
    yield "files", list(card.files), whole, card.weight_files
    for name, entry in card.files.items():
        path = f"files[{show(name)}]"
        known = name in FILES or _SHARD.fullmatch(name)
        yield path, name, f"one of {', '.join(FILES)} or a shard", known
        yield f"{path}.size", entry.size, "0 or more", entry.size >= 0
        yield f"{path}.sha256", entry.sha256, "64 hex digits", _SHA256.fullmatch(entry.sha256)
    if norm := card.batch_norm:
        yield "batch_norm.epsilon", norm.epsilon, "positive", norm.epsilon > 0
        yield "batch_norm.momentum", norm.momentum, "from 0 to 1", 0 <= norm.momentum <= 1
    for i, metric in enumerate(card.metrics):
        yield f"metrics[{i}].n", metric.n, "1 or more", metric.n >= 1
    yield "training.epochs", training.epochs, "0 or more", training.epochs >= 0
    yield "training.recalibrated", training.recalibrated, "0 or more", training.recalibrated >= 0
    yield "training.wall_time", training.wall_time, "0 or more", training.wall_time >= 0
    if origin := training.origin:
        path, named = "training.origin", _NAME.fullmatch(origin.name)
        yield f"{path}.name", origin.name, "'architecture.tag'", named
        yield f"{path}.version", origin.version, "1 or more", origin.version >= 1
        yield f"{path}.epochs", origin.epochs, "0 or more", origin.epochs >= 0
        yield f"{path}.wall_time", origin.wall_time, "0 or more", origin.wall_time >= 0
    yield "license", card.license, "named", card.license.strip()
    count = len(card.labels)
    allowed = f"none, or {count} different ones, one a label"
    fits = not card.label_ids or len(set(card.label_ids)) == len(card.label_ids) == count
    yield "label_ids", card.label_ids, allowed, fits


def _plain(value: Any) -> Any:
    """A number of NumPy as Python's; of what has no place on a card its text, to be refused."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def _format(value: Any, indent: str = "") -> str:
    """JSON with one field a line, but lists of plain values (labels, shapes) in one line."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        items = [f"{json.dumps(k)}: {_format(v, inner)}" for k, v in value.items()]
        brackets = "{}"
    elif isinstance(value, list | tuple) and any(isinstance(v, _NESTED) for v in value):
        items = [_format(v, inner) for v in value]
        brackets = "[]"
    else:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    body = ",\n".join(inner + item for item in items)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"
