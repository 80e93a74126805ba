"""Checkpoints of the Hugging Face Hub, in its standard cache.

The client, `huggingface_hub`, knows the cache, tokens, proxies and mirrors (all by its own
environment variables, e.g. HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HUB_OFFLINE); this file adds
what a checkpoint needs: the card first and small, sizes before bytes, hashes after them, and
errors that say what to do. It is imported only when a checkpoint of the Hub is asked for.
"""

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.checkpoint.card import CARD_FILE, KERAS_FILES, Card, FileEntry
from zoo.checkpoint.files import read_card
from zoo.checkpoint.schema import MAX_BYTES, refuse, show
from zoo.errors import ZooError
from zoo.hub.errors import translated

_log = logging.getLogger("zoo")

PREFIX = "hf://"
_PART = r"[A-Za-z0-9](?:[\w.-]{0,95})"
_ADDRESS = re.compile(rf"hf://({_PART}/{_PART})(?:@([A-Za-z0-9][\w./-]{{0,200}}))?", re.ASCII)
# Seconds between tries after a broken connection or a failure of the server. The client itself
# tries five times where a server cannot be reached or is slow.
_WAITS = (0.5, 1.0)
_LONGEST_WAIT = 60.0
_SILENCE = 3.0


def parse_address(address: str) -> tuple[str, str]:
    """Repository and revision ("main" where there is none) of "hf://org/name[@revision]".

    Raises:
        ZooError: it is not of that form.
    """
    match = _ADDRESS.fullmatch(address)
    if not match or any(mark in address.removeprefix(PREFIX) for mark in ("..", "--", "//")):
        raise ZooError(
            f"A checkpoint of the Hub is named by 'hf://org/name' or 'hf://org/name@revision', "
            f"with a branch, tag or commit. Received: {show(address)}"
        )
    return match[1], match[2] or "main"


def client() -> ModuleType:
    """`huggingface_hub`, imported when first needed."""
    import huggingface_hub
    from huggingface_hub import constants

    # Xet is a service of huggingface.co, which the client would expect of any other server.
    if constants.ENDPOINT != "https://huggingface.co" and "HF_HUB_DISABLE_XET" not in os.environ:
        constants.HF_HUB_DISABLE_XET = True
    return huggingface_hub


def fetch(
    repo: str, revision: str = "main", *, card_sha256: str | None = None, weights: bool = True
) -> Path:
    """Brings a checkpoint into the standard Hub cache, as far as it is not there.

    A commit (40 hex digits) that is cached costs no request, nor does anything offline.

    Args:
        repo: "org/name".
        revision: branch, tag or commit.
        card_sha256: of `zoo.json`, where it is known; another card is refused.
        weights: False for the card alone.

    Returns:
        The folder, named by the commit. Its weights have the size that the card names; their
        hash is checked by `load_checkpoint`.

    Raises:
        HubError: the Hub cannot be reached, or refuses; or the disk is full.
        CheckpointError: the card is not valid, or the files are not those of the card.

    Example:

    >>> load_checkpoint(fetch("org/name", "v1"))  # doctest: +SKIP
    """
    path = _fetch_card(repo, revision, card_sha256)
    if weights:
        for name, entry in needed_files(read_card(path.parent)):
            _fetch_file(repo, name, path.parent.name, range(entry.size, entry.size + 1))
    return path.parent


def is_cached(repo: str, commit: str) -> bool:
    """Whether the card of this commit is in the cache; makes no request."""
    return isinstance(client().try_to_load_from_cache(repo, CARD_FILE, revision=commit), str)


def repair(repo: str, folder: Path) -> bool:
    """Downloads weights of a cached checkpoint anew where their hash is not the card's.

    Args:
        repo: "org/name".
        folder: as given by `fetch`.

    Returns:
        Whether any file was damaged; it is right now.

    Raises:
        HubError: as for `fetch`.
        CheckpointError: the Hub itself has another file. It does not stay in the cache.
    """
    card = read_card(folder)
    damaged = [item for item in needed_files(card) if not is_intact(folder / item[0], item[1])]
    for name, entry in damaged:
        _log.warning("%s of %s is damaged in the cache: downloading it again.", name, repo)
        _discard(folder / name)
        path = _fetch_file(repo, name, folder.name, range(entry.size, entry.size + 1))
        if not is_intact(path, entry):
            _discard(path)
            refuse(
                f"{PREFIX}{repo}@{folder.name[:7]}",
                f"{name} has not the sha256 that its card names, again after a second download: "
                "try later, or tell the owner of the repository. Nothing was kept",
            )
    return bool(damaged)


def needed_files(card: Card) -> list[tuple[str, FileEntry]]:
    """Name and entry of the card's files that `load_checkpoint` reads."""
    return [(name, entry) for name, entry in card.files.items() if name not in KERAS_FILES]


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Whether the file has this size and hash."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != entry.size:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


def is_content_of_its_blob(path: Path) -> bool:
    """Whether a small cached file has the hash by which the cache calls it (where it does)."""
    name, data = path.resolve().name, path.read_bytes()
    if re.fullmatch(r"[0-9a-f]{40}", name):
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == name
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return hashlib.sha256(data).hexdigest() == name
    return True  # a cache without symbolic links


def _fetch_card(repo: str, revision: str, sha256: str | None) -> Path:
    for _ in range(2):
        path = _fetch_file(repo, CARD_FILE, revision, range(MAX_BYTES + 1))
        received = hashlib.sha256(path.read_bytes()).hexdigest()
        if is_content_of_its_blob(path) and sha256 in (None, received):
            return path
        _discard(path)
    problem = "is damaged" if sha256 is None else "is not the one that this zoo was published with"
    refuse(
        f"{PREFIX}{repo}@{revision}",
        f"{CARD_FILE} {problem}, again after a second download. Nothing was kept; try later",
    )


def _fetch_file(repo: str, name: str, revision: str, sizes: range) -> Path:
    """The path of a file in the cache; downloaded where it is not there in one of these sizes."""
    download = client().hf_hub_download

    with translated(repo, revision, name), _telling():
        # What the server says of the file, or of the cache where that settles it.
        answer = _again(lambda: download(repo, name, revision=revision, dry_run=True))
        if answer.is_cached and answer.file_size not in sizes:
            _discard(Path(answer.local_path))
            answer = _again(lambda: download(repo, name, revision=revision, dry_run=True))
    if answer.file_size not in sizes:
        size = "an unknown number of" if answer.file_size is None else f"{answer.file_size:,}"
        right = f"{sizes[0]:,}" if len(sizes) == 1 else f"at most {sizes[-1]:,}"
        refuse(
            f"{PREFIX}{repo}@{revision}",
            f"{name} has {size} bytes on the Hub where {right} are right; it was not downloaded",
        )
    path = Path(answer.local_path)
    if answer.is_cached and path.exists():  # else only another commit has the same content
        return path
    with translated(repo, revision, name):
        return Path(_again(lambda: download(repo, name, revision=revision)))


def _again(call: Callable[[], Any]) -> Any:
    """The result of the call, tried again where the connection broke or the server failed."""
    for wait in _WAITS:
        try:
            return call()
        except Exception as error:
            pause = _pause(error, wait)
            if pause is None:
                raise
        time.sleep(pause)
    return call()


def _pause(error: Exception, wait: float) -> float | None:
    """Seconds after which to try again: `wait`, or what the server asks for; None for never."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        after = error.response.headers.get("Retry-After", "")
        wait = float(after) if after.isdecimal() else wait
        return wait if error.response.status_code >= 500 and wait <= _LONGEST_WAIT else None
    # The client's only word for a file of another size than was announced.
    resized = type(error) is OSError and error.errno is None
    broken = isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError)
    return wait if resized or broken else None


def _discard(path: Path) -> None:
    """Removes a file from the cache, with what its symbolic links point to."""
    while path.is_symlink():
        link, path = path, path.parent / os.readlink(path)
        link.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@contextmanager
def _telling() -> Iterator[None]:
    """One line where the server is silent, in place of the client's two about every try."""
    endpoint = client().constants.ENDPOINT
    text = "%s has not answered for %d seconds; still trying, for up to a minute."
    timer = threading.Timer(_SILENCE, lambda: _log.warning(text, endpoint, _SILENCE))
    timer.daemon = True

    def is_news(record: logging.LogRecord) -> bool:
        return record.levelno != logging.WARNING or str(record.msg).startswith("Rate limited")

    theirs = logging.getLogger("huggingface_hub.utils._http")
    theirs.addFilter(is_news)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        theirs.removeFilter(is_news)
