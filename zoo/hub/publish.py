"""Checkpoints to the Hugging Face Hub: looked at, sent in one commit, and read back."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import keras

from zoo.checkpoint.card import Card
from zoo.checkpoint.tensors import MAX_SHARD_SIZE
from zoo.errors import HubError, ZooError
from zoo.files import write_atomically
from zoo.hub import remote
from zoo.hub.errors import translated
from zoo.hub.pins import read_pins
from zoo.hub.published import Published
from zoo.hub.repository import compare, look, send, verify
from zoo.hub.upload import entry_of, prepare_upload, weights_of
from zoo.models.policy import dtype_policy


def publish(
    model: keras.Model | str | os.PathLike,
    to: str,
    *,
    private: bool = False,
    tag: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
    token: str | None = None,
    max_shard_size: int = MAX_SHARD_SIZE,
    **card: Any,
) -> Published:
    """Publishes a model or a checkpoint folder on the Hugging Face Hub.

    Everything goes up in one commit on top of the one that was looked at; files that are there
    already are not sent again. Then all files are downloaded by that commit into a folder of
    their own, compared by their hashes, and the model loaded from them must predict the same.

    A published name never changes its weights: other weights need another name, or a higher
    version. A repository holds one checkpoint.

    Args:
        model: keras.Model of `zoo.load` or `zoo.create`, trained further or not; or a checkpoint's
            folder, str or path.
        to: str, "hf://org/name"; made where it does not exist.
        private: bool, whether a repository that is made is private.
        tag: str, to be put on the commit, e.g. "v1"; a tag is never moved.
        message: str, of the commit; None for the checkpoint's name and version.
        dry_run: bool, True to send nothing and only say what would be sent. Takes no token, unless
            the repository is private.
        token: str, of the Hub; None for that of `hf auth login` or HF_TOKEN.
        max_shard_size: int, bytes of tensors in one file.
        **card: fields of `zoo.checkpoint.Card`, where they differ from those of the model: `name`,
            `labels`, `training`, `version`, `dtype` ("float16" halves the files), `metrics`
            (or a function that measures the stored model and returns them), `license`,
            `citation`, `preprocess`, `args`, `head`, `requires`.

    Returns:
        zoo.hub.Published: repository, commit and files.

    Raises:
        ZooError: something about the model is missing, or the repository holds other weights
            under this name and version.
        CheckpointError: the card is not true of the model, or the folder is damaged.
        HubError: the Hub cannot be reached or refuses, somebody else has committed meanwhile, or
            what came back is not what was sent.

    Example:

    >>> model = zoo.load("maxnorm_plainnet50", num_classes=5, freeze="body")
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> model.fit(x, y, epochs=3)  # doctest: +SKIP
    >>> about = dict(
    ...     name="maxnorm_plainnet50.flowers",
    ...     labels=["daisy", "dandelion", "rose", "sunflower", "tulip"],
    ...     training=zoo.checkpoint.Training(data="flowers", epochs=3),
    ... )
    >>> print(zoo.publish(model, "hf://me/flowers", dry_run=True, **about))  # doctest: +SKIP
    >>> zoo.publish(model, "hf://me/flowers", tag="v1", **about)  # doctest: +SKIP
    >>> zoo.publish("weights/plainnet44.cifar10", "hf://me/plainnet44")  # doctest: +SKIP
    """
    repo, revision = remote.parse_address(str(to))
    if revision != "main":
        raise ZooError(
            f"A repository is published to as a whole, not at a revision. Received: {to}"
        )
    hub = remote.client()
    if not dry_run and not (token or hub.get_token()):
        raise HubError(
            f"{to}: publishing takes a token: log in with `hf auth login` or set HF_TOKEN."
        )
    api = hub.HfApi(token=token, library_name="zoo")
    with translated(repo):
        state = look(api, repo)
    with tempfile.TemporaryDirectory() as name, dtype_policy("float32"):
        folder = Path(name)
        upload = prepare_upload(model, folder, to, card, max_shard_size)
        local = {path.name: entry_of(path) for path in sorted(folder.iterdir())}
        _check_version(upload.card, state.card, to)
        changes = tuple(compare(folder, local, state.files))
        commit = state.head if all(c.what == "unchanged" for c in changes) else None
        if tag is not None and state.tags.get(tag, commit) != commit:
            raise ZooError(
                f"{to} has a tag {tag!r} already, and tags are not moved: choose another."
            )
        published = Published(
            repo=repo,
            name=upload.card.name,
            version=upload.card.version,
            commit=commit,
            tag=tag,
            files=changes,
            rounding=upload.rounding,
            remark=upload.remark,
        )
        if dry_run:
            return published
        with translated(repo):
            if commit is None:
                commit = send(
                    api,
                    repo,
                    state.head,
                    folder,
                    changes,
                    private=private,
                    message=message or f"{upload.card.name}, version {upload.card.version}",
                )
            if tag and tag not in state.tags:
                api.create_tag(repo, tag=tag, revision=commit)
            verify(api, repo, commit, local, upload.model)
    return dataclasses.replace(published, commit=commit)


def write_pin(published: Published, path: str | os.PathLike) -> None:
    """Adds `published.pin` to a file like the package's `pins.json`, in place of an older one."""
    path = Path(path)
    pins = {name: dataclasses.asdict(pin) for name, pin in read_pins(path).items()}
    text = json.dumps(dict(sorted((pins | published.pin).items())), indent=2) + "\n"
    write_atomically(path, text.encode())


def _check_version(card: Card, theirs: Card | None, to: str) -> None:
    if theirs is None:
        return
    if theirs.name != card.name:
        raise ZooError(
            f"{to} holds {theirs.name}, and a repository holds one checkpoint: choose another "
            f"for {card.name}."
        )
    same = weights_of(theirs) == weights_of(card)
    if card.version < theirs.version or (card.version == theirs.version and not same):
        raise ZooError(
            f"{to} holds version {theirs.version} of {card.name}"
            + ("" if same else " with other weights")
            + f", and a published version is never changed. Give version={theirs.version + 1}. "
            f"Received: version={card.version}"
        )
