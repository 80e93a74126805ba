"""Checkpoints by name: shipped with the package or the clone, pinned on the Hub, any repository
of the Hub, and folders."""

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import keras

from zoo.checkpoint.card import CARD_FILE, Card
from zoo.checkpoint.folder import load_checkpoint, read_card
from zoo.checkpoint.schema import refuse, show
from zoo.errors import CheckpointError, UnknownNameError, ZooError
from zoo.hub import remote
from zoo.hub.pins import Pin, read_pins
from zoo.models.freeze import check_freeze
from zoo.models.freeze import freeze as freeze_layers
from zoo.registry import variants

_PACKAGE = Path(__file__).parents[1]
# In an installed wheel, in a clone; the first that has a name wins.
ROOTS = (_PACKAGE / "_weights", _PACKAGE.parent / "weights")


def list_weights(pattern: str = "*") -> list[str]:
    """Names of the checkpoints that match an fnmatch pattern: shipped ones and those of the Hub.

    Args:
        pattern: for "architecture.tag", e.g. "*.cifar10".

    Returns:
        Sorted names, each good for `zoo.load`.

    Example:

    >>> zoo.list_weights("seqnet*")
    ['seqnet18.cifar10', 'seqnet50.cifar10']
    """
    return [name for name in sorted(_built_in()) if fnmatchcase(name, pattern)]


def card(name: str | os.PathLike) -> Card:
    """The card of a checkpoint: labels, preprocessing, measured figures, training, licence.

    Args:
        name: "architecture.tag", an architecture (its default checkpoint), "hf://org/name" or
            "hf://org/name@revision", or a folder. Of the Hub, only the card is downloaded.

    Returns:
        Frozen dataclass.

    Raises:
        UnknownNameError: no such checkpoint; names the nearest.
        CheckpointError: the folder has no valid `zoo.json`.
        HubError: it is on the Hub, and not to be had from there; says why.

    Example:

    >>> zoo.card("maxnorm_plainnet50.cifar10").labels[3]
    'cat'
    """
    place = _find(name, weights=False)
    found = read_card(place.folder)
    if place.name is not None and found.name != place.name:
        where = str(place.folder / CARD_FILE)
        refuse(where, f"name must be {place.name!r} here. Received: {found.name!r}")
    return found


def load(
    name: str | os.PathLike,
    *,
    num_classes: int | None = None,
    activation: str | None = "card",
    features: bool = False,
    freeze: str | None = None,
) -> keras.Model:
    """A pretrained model.

    Args:
        name: "architecture.tag", an architecture (its default checkpoint), "hf://org/name" or
            "hf://org/name@revision" (branch, tag or commit) of the Hugging Face Hub, or a folder.
            What is downloaded stays in the standard Hub cache.
        num_classes: None for the published classifier; K for the pretrained body with a new
            classifier of K classes (exactly that is new, and a warning says so); 0 for the pooled
            features.
        activation: "softmax" for probabilities, "sigmoid", None for logits, "card" for what the
            checkpoint was published with.
        features: True for a backbone, which gives the outputs of the stages by level, {"P2":
            stride 4, "P3": stride 8, …}, and has no head.
        freeze: "body" for the head alone to be trainable, "batch_norm" for BatchNormalization
            layers that keep their statistics bit for bit, None for everything trainable.

    Returns:
        Keras model, regularizers and constraints live; its card is `model.zoo_card`.

    Raises:
        UnknownNameError: no such checkpoint or architecture; names the nearest.
        CheckpointError: the checkpoint is damaged or does not fit. Nothing was loaded.
        HubError: it is on the Hub, and not to be had from there; says why.
        ZooError: an argument is out of range.

    Example:

    >>> model = zoo.load("maxnorm_plainnet50")
    >>> model = zoo.load("maxnorm_plainnet50.cifar10", num_classes=5)
    >>> body = zoo.load("maxnorm_plainnet50", features=True, freeze="batch_norm")
    >>> model = zoo.load("runs/my_run/checkpoint", activation=None)
    >>> model = zoo.load("hf://org/name@v1")
    """
    check_freeze(freeze)
    place = _find(name)

    def build() -> keras.Model:
        return load_checkpoint(
            place.folder,
            num_classes=num_classes,
            activation=activation,
            features=features,
            name=place.name,
        )

    try:
        model = build()
    except CheckpointError:
        if place.repo is None or not remote.repair(place.repo, place.folder):
            raise
        model = build()
    return freeze_layers(model, freeze, model.zoo_card.head)


def is_here(name: str) -> bool:
    """Whether the card of a built-in name is on this machine: shipped, or in the Hub's cache."""
    where = _built_in()[name]
    return isinstance(where, Path) or remote.is_cached(where.repo, where.commit)


@dataclass(frozen=True)
class _Place:
    """A checkpoint on this machine: its folder, the name that its card must have (None for any),
    the repository that it came from (None for none)."""

    folder: Path
    name: str | None = None
    repo: str | None = None


def _shipped() -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for root in ROOTS:
        for path in root.glob(f"[!.]*/{CARD_FILE}"):
            folders.setdefault(path.parent.name, path.parent)
    return folders


def _built_in() -> dict[str, Path | Pin]:
    return read_pins() | _shipped()


def _find(name: str | os.PathLike, weights: bool = True) -> _Place:
    """Where a checkpoint is, after downloading it where it is not here yet."""
    if isinstance(name, os.PathLike):
        return _Place(Path(name))
    if not isinstance(name, str):
        raise ZooError(
            f"A checkpoint is named by 'architecture.tag' or by a folder. Received: {show(name)}"
        )
    if name.startswith(remote.PREFIX):
        repo, revision = remote.parse_address(name)
        return _Place(remote.fetch(repo, revision, weights=weights), repo=repo)
    built_in, known = _built_in(), variants()
    full = f"{name}.{known[name].weights}" if name in known else name
    match built_in.get(full):
        case Path() as folder:
            return _Place(folder, full)
        case Pin(repo, commit, sha256):
            folder = remote.fetch(repo, commit, card_sha256=sha256, weights=weights)
            return _Place(folder, full, repo)
    if name in known:
        raise ZooError(_without_default(name, sorted(built_in)))
    if any(mark in name for mark in "/\\~") or (Path(name) / CARD_FILE).exists():
        return _Place(Path(os.path.expanduser(name)))
    raise UnknownNameError(
        "checkpoint", name, [*known, *built_in], "See zoo.list_weights() and zoo.list_models()."
    )


def _without_default(name: str, known: list[str]) -> str:
    own = [s for s in known if s.partition(".")[0] == name]
    message = f"{name} has no default checkpoint here."
    if own:
        message += f" There is: {', '.join(own)}."
    return f'{message} zoo.create("{name}") builds it with fresh weights.'
