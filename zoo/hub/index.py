"""Checkpoints by name: shipped with the package or the clone, pinned on the Hub, any repository
of the Hub, and folders."""

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zoo import catalog
from zoo.checkpoint.card import CARD_FILE, Card
from zoo.checkpoint.files import read_card
from zoo.checkpoint.schema import refuse, show
from zoo.errors import UnknownNameError, ZooError
from zoo.hub import remote
from zoo.hub.pins import Pin, read_pins

_PACKAGE = Path(__file__).parents[1]
# In an installed wheel, in a clone; the first that has a name wins.
ROOTS = (_PACKAGE / "_weights", _PACKAGE.parent / "weights")


def list_weights(pattern: str = "*") -> list[str]:
    """Names of the checkpoints that match an fnmatch pattern: shipped ones and those of the Hub.

    Args:
        pattern: str, for "architecture.tag", e.g. "*.cifar10".

    Returns:
        list of str, sorted, each good for `zoo.load`.

    Example:

    >>> zoo.list_weights("seqnet*")
    ['seqnet18.cifar10', 'seqnet50.cifar10']
    """
    return [name for name in sorted(_built_in()) if fnmatchcase(name, pattern)]


def card(name: str | os.PathLike) -> Card:
    """The card of a checkpoint: labels, preprocessing, measured figures, training, licence.

    Args:
        name: str or path: "architecture.tag", an architecture (its default checkpoint),
            "hf://org/name" or "hf://org/name@revision", or a folder. Of the Hub, only the card is
            downloaded.

    Returns:
        zoo.checkpoint.Card, a frozen dataclass.

    Raises:
        UnknownNameError: no such checkpoint; names the nearest.
        CheckpointError: the folder has no valid `zoo.json`.
        HubError: it is on the Hub, and not to be had from there; says why.

    Example:

    >>> zoo.card("maxnorm_plainnet50.cifar10").labels[3]
    'cat'
    """
    place = locate(name, weights=False)
    its_card = read_card(place.folder)
    if place.name is not None and its_card.name != place.name:
        where = str(place.folder / CARD_FILE)
        refuse(where, f"name must be {place.name!r} here. Received: {its_card.name!r}")
    return its_card


def is_here(name: str) -> bool:
    """Whether the card of a built-in name is on this machine: shipped, or in the Hub's cache.

    Args:
        name: str, of `list_weights`.
    """
    where = _built_in()[name]
    return isinstance(where, Path) or remote.is_cached(where.repo, where.commit)


@dataclass(frozen=True)
class Place:
    """Where a checkpoint is on this machine.

    Attributes:
        folder: Path, of its files.
        name: str, that its card must have; None for any.
        repo: str, the repository that it came from, "org/name"; None for none.
    """

    folder: Path
    name: str | None = None
    repo: str | None = None


def locate(name: str | os.PathLike, weights: bool = True) -> Place:
    """Where a checkpoint is, after downloading it where it is not here yet.

    Args:
        name: str or path, as for `zoo.load`.
        weights: bool, False to download no more than the card.

    Returns:
        Place.

    Raises:
        UnknownNameError: no such checkpoint; names the nearest.
        HubError: it is on the Hub, and not to be had from there; says why.
    """
    if isinstance(name, os.PathLike):
        return Place(Path(name))
    if not isinstance(name, str):
        raise ZooError(
            f"A checkpoint is named by 'architecture.tag' or by a folder. Received: {show(name)}"
        )
    if name.startswith(remote.PREFIX):
        repo, revision = remote.parse_address(name)
        return Place(remote.fetch(repo, revision, weights=weights), repo=repo)
    built_in = _built_in()
    if name in built_in:
        return _place(name, built_in[name], weights)
    known = catalog.entries()
    if name in known:
        full = f"{name}.{known[name].weights}"
        if full in built_in:
            return _place(full, built_in[full], weights)
        raise ZooError(_without_default(name, sorted(built_in)))
    if any(mark in name for mark in "/\\~") or (Path(name) / CARD_FILE).exists():
        return Place(Path(os.path.expanduser(name)))
    raise UnknownNameError(
        "checkpoint", name, [*known, *built_in], "See zoo.list_weights() and zoo.list_models()."
    )


def _shipped() -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for root in ROOTS:
        for path in root.glob(f"[!.]*/{CARD_FILE}"):
            folders.setdefault(path.parent.name, path.parent)
    return folders


def _built_in() -> dict[str, Path | Pin]:
    return read_pins() | _shipped()


def _place(name: str, source: Path | Pin, weights: bool) -> Place:
    if isinstance(source, Path):
        return Place(source, name)
    folder = remote.fetch(source.repo, source.commit, card_sha256=source.sha256, weights=weights)
    return Place(folder, name, source.repo)


def _without_default(name: str, known: list[str]) -> str:
    own = [s for s in known if s.partition(".")[0] == name]
    message = f"{name} has no default checkpoint here."
    if own:
        message += f" There is: {', '.join(own)}."
    return f'{message} zoo.create("{name}") builds it with fresh weights.'
