"""A repository of the Hugging Face Hub as a place to publish to: looked at, compared, written, and
read back. Errors are the client's; callers translate them."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.card import CARD_FILE, FILES, Card, FileEntry, parse_card, shard_names
from zoo.checkpoint.files import read_file
from zoo.checkpoint.folder import load_checkpoint
from zoo.checkpoint.readme import CURVE_FILE
from zoo.checkpoint.schema import MAX_BYTES
from zoo.errors import HubError
from zoo.hub import remote
from zoo.hub.published import Change


@dataclass(frozen=True)
class State:
    """What a repository holds: the last commit, None where there is no repository; name -> git's
    or the large file store's hash; the card of the checkpoint; tag -> commit."""

    head: str | None
    files: Mapping[str, str]
    card: Card | None
    tags: Mapping[str, str]


def look(api: Any, repo: str) -> State:
    """What the repository holds now."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        head = api.model_info(repo).sha
    except RepositoryNotFoundError:  # or private, as making it will show
        return State(None, {}, None, {})
    entries = {f.path: f for f in api.list_repo_tree(repo, revision=head) if hasattr(f, "blob_id")}
    files = {name: f.lfs.sha256 if f.lfs else f.blob_id for name, f in entries.items()}
    card = None
    if CARD_FILE in entries:
        where = f"{remote.PREFIX}{repo}@{head[:7]}: {CARD_FILE}"
        if entries[CARD_FILE].size > MAX_BYTES:
            raise HubError(f"{where} is too large to be a card: choose another repository.")
        with tempfile.TemporaryDirectory() as cache:
            path = api.hf_hub_download(repo, CARD_FILE, revision=head, cache_dir=cache)
            card = parse_card(read_file(Path(path), MAX_BYTES), where)
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo).tags}
    return State(head, files, card, tags)


def compare(
    folder: Path, local: Mapping[str, FileEntry], theirs: Mapping[str, str]
) -> Iterator[Change]:
    """What becomes of each file; of theirs, only files that checkpoints have are removed."""
    for name, entry in local.items():
        same = theirs.get(name) in (entry.sha256, _git_hash(folder / name, entry.size))
        yield Change(
            "unchanged" if same else "changed" if name in theirs else "new",
            name,
            entry.size,
            entry.sha256,
        )
    for name in sorted(theirs.keys() - local.keys()):
        if _is_ours(name):
            yield Change("removed", name, 0, "")


def _git_hash(path: Path, size: int) -> str:
    """As git calls a small file."""
    if size > 100_000_000:
        return ""
    return hashlib.sha1(b"blob %d\0" % size + path.read_bytes()).hexdigest()


def _is_ours(name: str) -> bool:
    count = name.rpartition("-")[2].partition(".")[0]
    shard = len(count) == 5 and count.isdecimal() and name in shard_names(int(count))
    return shard or name in (*FILES, CURVE_FILE)


def send(
    api: Any,
    repo: str,
    parent: str | None,
    folder: Path,
    changes: Iterable[Change],
    *,
    private: bool,
    message: str,
) -> str:
    """Commits the changes on top of `parent`, which must be the head; the new commit.

    Args:
        api: `huggingface_hub.HfApi`.
        repo: "org/name".
        parent: the head that was looked at; None to make the repository.
        folder: of the files.
        changes: of `compare`.
        private: whether a repository that is made is private.
        message: of the commit.
    """
    hub = remote.client()
    if parent is None:
        api.create_repo(repo, private=private, exist_ok=True)
        parent = api.model_info(repo).sha
    operations = []
    for change in changes:
        if change.what == "removed":
            operations.append(hub.CommitOperationDelete(change.name))
        elif change.what != "unchanged":
            path = folder / change.name
            operations.append(hub.CommitOperationAdd(change.name, path_or_fileobj=path))
    return api.create_commit(repo, operations, commit_message=message, parent_commit=parent).oid


def verify(
    api: Any, repo: str, commit: str, local: Mapping[str, FileEntry], model: keras.Model
) -> None:
    """Refuses a commit from which other files come back, or a model that predicts otherwise."""
    where = f"{remote.PREFIX}{repo}@{commit[:7]}"
    with tempfile.TemporaryDirectory() as cache:
        for name, entry in local.items():
            path = Path(api.hf_hub_download(repo, name, revision=commit, cache_dir=cache))
            if not remote.is_intact(path, entry):
                raise HubError(f"{where}: {name} did not come back as it was sent. Publish again.")
        again = load_checkpoint(path.parent)
    shape = (2, *(side or 64 for side in again.input_shape[1:]))
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    one, other = (keras.ops.convert_to_numpy(m(x, training=False)) for m in (model, again))
    if not np.allclose(one, other, rtol=1e-5, atol=1e-6):
        raise HubError(f"{where}: the model predicts other than before. Do not use it.")
