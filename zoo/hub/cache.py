"""The zoo's checkpoints in the standard Hub cache: which there are, whether they are whole, and how
to be rid of them.

The cache belongs to all programs that use the Hub. Only commits whose `zoo.json` is a card of this
package are shown or removed; whatever else is there, or cannot be read, is left alone.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo.checkpoint.card import CARD_FILE, Card, parse_card
from zoo.checkpoint.files import read_file
from zoo.checkpoint.schema import MAX_BYTES
from zoo.errors import CheckpointError, ZooError
from zoo.hub import remote


@dataclass(frozen=True)
class Cached:
    """One commit of a repository in the cache.

    Attributes:
        name: str, of the checkpoint; "" where its card is damaged.
        repo: str, "org/name".
        commit: str, 40 hex digits.
        size: int, bytes of its files; commits of one repository may share some.
        last_used: float, of the repository, seconds since 1970.
        folder: Path, of the files.
        card: Card, None where it is damaged.

    Example:

    >>> for cached in list_cached("*.cifar10"):
    ...     assert cached.card is None or cached.card.name == cached.name
    """

    name: str
    repo: str
    commit: str
    size: int
    last_used: float
    folder: Path
    card: Card | None


def list_cached(pattern: str = "*") -> list[Cached]:
    """The zoo's checkpoints in the cache; makes no request.

    Args:
        pattern: str, an fnmatch pattern for the checkpoint's name or the repository's.

    Returns:
        list of Cached, sorted by name, repository and commit.

    Raises:
        ZooError: the cache is not a folder.

    Example:

    >>> list_cached("nothing of this name")
    []
    """
    cached = []
    for repo in _scan().repos:
        for revision in repo.revisions if repo.repo_type == "model" else ():
            folder = Path(revision.snapshot_path)
            path = folder / CARD_FILE
            if not path.is_file():
                continue
            card = None
            if remote.is_content_of_its_blob(path):
                try:
                    card = parse_card(read_file(path, MAX_BYTES), str(path))
                except CheckpointError:
                    continue  # as it was published: somebody else's file of this name
            name = card.name if card else ""
            if fnmatchcase(name, pattern) or fnmatchcase(repo.repo_id, pattern):
                size, used = revision.size_on_disk, repo.last_accessed
                commit = revision.commit_hash
                cached.append(Cached(name, repo.repo_id, commit, size, used, folder, card))
    return sorted(cached, key=lambda c: (c.name, c.repo, c.commit))


def damaged_files(cached: Cached) -> list[str]:
    """Names of the files that are not as the card says; those not downloaded do not count.

    Args:
        cached: Cached, of `list_cached`.
    """
    if cached.card is None:
        return [CARD_FILE]
    return [
        name
        for name, entry in cached.card.files.items()
        if (cached.folder / name).exists() and not remote.is_intact(cached.folder / name, entry)
    ]


def freed_by(chosen: Iterable[Cached]) -> int:
    """Bytes that `remove` would free: files that other commits share stay.

    Args:
        chosen: iterable of Cached.
    """
    return sum(deletion.expected_freed_size for deletion in _deletions(chosen))


def remove(chosen: Iterable[Cached]) -> int:
    """Removes checkpoints from the cache; those with a damaged card stay.

    Args:
        chosen: iterable of Cached, of `list_cached`.

    Returns:
        int, bytes that were freed.
    """
    deletions = _deletions(chosen)
    for deletion in deletions:
        deletion.execute()
    return sum(deletion.expected_freed_size for deletion in deletions)


def _deletions(chosen: Iterable[Cached]) -> list[Any]:
    """The client's plans, one for a repository: copies of a repository have the same commits."""
    commits: dict[str, list[str]] = {}
    for cached in chosen:
        if cached.card is not None:
            commits.setdefault(cached.repo, []).append(cached.commit)
    whole = _scan()
    plans = []
    for repo, own in commits.items():
        only = [r for r in whole.repos if (r.repo_type, r.repo_id) == ("model", repo)]
        part = dataclasses.replace(whole, repos=frozenset(only))
        plans.append(part.delete_revisions(*own))
    return plans


def _scan() -> Any:
    hub = remote.client()
    try:
        return hub.scan_cache_dir()
    except hub.CacheNotFound:
        return hub.HFCacheInfo(0, repos=frozenset(), incomplete_files=frozenset(), warnings=[])
    except ValueError:
        raise ZooError(
            f"The Hub's cache, {hub.constants.HF_HUB_CACHE}, is not a folder: set HF_HUB_CACHE to "
            "one."
        ) from None
