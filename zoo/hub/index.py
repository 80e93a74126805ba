"""Checkpoints by name: those shipped with the package or the clone, and folders."""

import os
from fnmatch import fnmatchcase
from pathlib import Path

import keras

from zoo.errors import UnknownNameError, ZooError
from zoo.hub.card import CARD_FILE, Card
from zoo.hub.checkpoint import load_checkpoint, read_card
from zoo.hub.schema import refuse, show
from zoo.models.freeze import check_freeze
from zoo.models.freeze import freeze as freeze_layers
from zoo.models.registry import variants

_PACKAGE = Path(__file__).parents[1]
# In an installed wheel, in a clone; the first that has a name wins.
ROOTS = (_PACKAGE / "_weights", _PACKAGE.parent / "weights")


def list_weights(pattern: str = "*") -> list[str]:
    """Names of the shipped checkpoints that match an fnmatch pattern.

    Args:
        pattern: for "architecture.tag", e.g. "*.cifar10".

    Returns:
        Sorted names, each good for `zoo.load`.

    Example:

    >>> zoo.list_weights("*.cifar10")
    ['maxnorm_plainnet50.cifar10']
    """
    return [name for name in sorted(_shipped()) if fnmatchcase(name, pattern)]


def card(name: str | os.PathLike) -> Card:
    """The card of a checkpoint: labels, preprocessing, measured figures, training, licence.

    Args:
        name: "architecture.tag", an architecture (its default checkpoint), or a folder.

    Returns:
        Frozen dataclass.

    Raises:
        UnknownNameError: no such checkpoint; names the nearest.
        CheckpointError: the folder has no valid `zoo.json`.

    Example:

    >>> zoo.card("maxnorm_plainnet50.cifar10").labels[3]
    'cat'
    """
    folder, full_name = _find(name)
    found = read_card(folder)
    if full_name is not None and found.name != full_name:
        refuse(
            str(folder / CARD_FILE), f"name must be {full_name!r} here. Received: {found.name!r}"
        )
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
        name: "architecture.tag", an architecture (its default checkpoint), or a folder.
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
        ZooError: an argument is out of range.

    Example:

    >>> model = zoo.load("maxnorm_plainnet50")
    >>> model = zoo.load("maxnorm_plainnet50.cifar10", num_classes=5)
    >>> body = zoo.load("maxnorm_plainnet50", features=True, freeze="batch_norm")
    >>> model = zoo.load("runs/my_run/checkpoint", activation=None)
    """
    folder, full_name = _find(name)
    check_freeze(freeze)
    model = load_checkpoint(
        folder,
        num_classes=num_classes,
        activation=activation,
        features=features,
        name=full_name,
    )
    return freeze_layers(model, freeze, model.zoo_card.head)


def _shipped() -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for root in ROOTS:
        for path in root.glob(f"[!.]*/{CARD_FILE}"):
            folders.setdefault(path.parent.name, path.parent)
    return folders


def _find(name: str | os.PathLike) -> tuple[Path, str | None]:
    """The folder of a checkpoint, and its name where it was asked for by name."""
    if isinstance(name, os.PathLike):
        return Path(name), None
    if not isinstance(name, str):
        raise ZooError(
            f"A checkpoint is named by 'architecture.tag' or by a folder. Received: {show(name)}"
        )
    if name.startswith("hf://"):
        raise ZooError(
            f"{name}: loading from the Hub is not supported in this version. Download the "
            "repository and give its folder."
        )
    shipped, known = _shipped(), variants()
    if name in shipped:
        return shipped[name], name
    if name in known:
        default = f"{name}.{known[name].weights}"
        if default in shipped:
            return shipped[default], default
        raise ZooError(_without_default(name, sorted(shipped)))
    if any(mark in name for mark in "/\\~") or (Path(name) / CARD_FILE).exists():
        return Path(name).expanduser(), None
    raise UnknownNameError(
        "checkpoint", name, [*known, *shipped], "See zoo.list_weights() and zoo.list_models()."
    )


def _without_default(name: str, shipped: list[str]) -> str:
    own = [s for s in shipped if s.partition(".")[0] == name]
    message = f"{name} has no default checkpoint here."
    if own:
        message += f" There is: {', '.join(own)}."
    return f'{message} zoo.create("{name}") builds it with fresh weights.'
