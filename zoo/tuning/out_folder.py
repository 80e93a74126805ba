"""The folder that a fine-tuning writes: what runs there, and what may go on there."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from zoo.errors import ZooError
from zoo.files import write_atomically
from zoo.tuning.listing import Listing, first

FILE = "finetune.json"
WORK = "tuning"  # folder of the decoded pictures and the state, removed at the end


def begin(
    out: Path, settings: Mapping[str, Any], listing: Listing
) -> tuple[Path, dict[str, Any] | None]:
    """Makes the folder of a training, or goes on in one in which the same training has begun.

    Args:
        out: Path.
        settings: mapping of str to plain values, all that changes what comes out.
        listing: Listing, of the photos.

    Returns:
        The folder to work in, and the result of a finished training, else None.

    Raises:
        ZooError: the folder holds something else, or another training: says what differs.
    """
    about = {
        "settings": json.loads(json.dumps(settings)),
        "files": [[name, size, time] for name, _, size, time in listing.files],
    }
    _check_place(out, listing.folder)
    there = _read(out)
    if there is not None:
        _compare(out, there, about)
        if "result" in there:
            return out / WORK, there["result"]
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
        if there is None:
            write_atomically(out / FILE, json.dumps(about).encode())
    except OSError as error:
        raise ZooError(f"{out} cannot be written: {error.strerror}.") from error
    return out / WORK, None


@contextlib.contextmanager
def alone(place: Path) -> Iterator[None]:
    """Keeps other processes out of the folder to work in.

    Args:
        place: Path, of `begin`.

    Raises:
        ZooError: another process is at work there. A process that ended, however, is not.
    """
    lock = filelock.FileLock(place / "lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ZooError(
            f"Another process is at work in {place.parent}. Wait for it, or choose another folder "
            "with out=… (--out)."
        ) from None
    try:
        yield
    finally:
        lock.release()


def end(out: Path, result: Mapping[str, Any]) -> None:
    """Notes the result of a finished training.

    Args:
        out: Path.
        result: mapping of str to plain values.
    """
    there = _read(out) or {}
    write_atomically(out / FILE, json.dumps({**there, "result": result}).encode())


def _check_place(out: Path, photos: Path) -> None:
    inside = photos.resolve() in (out.resolve(), *out.resolve().parents)
    if inside:
        raise ZooError(
            f"{out} lies in the folder of the photos, {photos}, where it would be taken for a "
            "class. Choose another with out=… (--out)."
        )
    if out.exists() and not out.is_dir():
        raise ZooError(f"{out} is a file. Choose another folder with out=… (--out).")
    known = (FILE, WORK)
    if (
        out.is_dir()
        and not (out / FILE).exists()
        and any(path.name not in known and not path.name.startswith(".") for path in out.iterdir())
    ):
        raise ZooError(
            f"{out} holds other files. Choose another folder with out=… (--out), or empty it."
        )


def _read(out: Path) -> dict[str, Any] | None:
    try:
        return json.loads((out / FILE).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ZooError(f"{out / FILE} cannot be read ({error}): remove {out}.") from error


def _compare(out: Path, there: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    before, now = there["settings"], about["settings"]
    changes = [
        f"{key} was {before.get(key)!r} and is {value!r}"
        for key, value in now.items()
        if before.get(key) != value
    ]
    old, new = ({name: state for name, *state in both["files"]} for both in (there, about))
    for what, names in {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "changed": {name for name in old.keys() & new.keys() if old[name] != new[name]},
    }.items():
        if names:
            changes.append(f"photos were {what} ({first(sorted(names))})")
    if changes:
        state = "a finished checkpoint" if "result" in there else "an unfinished training"
        raise ZooError(
            f"{out} holds {state} of other settings: {'; '.join(changes)}. Give those, choose "
            f"another folder with out=… (--out), or remove {out}{os.sep} to begin anew."
        )
