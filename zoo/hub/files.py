"""Files of a checkpoint folder: written whole or not at all, read only when they are what the
card says."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from zoo.errors import CheckpointError
from zoo.hub.card import FileEntry
from zoo.hub.schema import refuse

AGAIN = "get the checkpoint again"
_MAX_HEADER = 10_000_000
_CODES = {"float32": "F32", "float16": "F16"}

# Shape and dtype that a stored tensor must have.
Spec = tuple[tuple[int, ...], str]


def read_file(path: Path, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes (a symbolic link to one is well)."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                refuse(str(path), "is not a regular file")
            if status.st_size > limit:
                refuse(
                    str(path),
                    f"has {status.st_size:,} bytes where at most {limit:,} are right: {AGAIN}",
                )
            return file.read(limit + 1)
    except CheckpointError:
        raise
    except FileNotFoundError:
        missing = "is missing" if path.parent.is_dir() else "is missing: there is no such folder"
        raise CheckpointError(f"{path} {missing}.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path} cannot be read: {reason}.") from error


def read_tensors(path: Path, entry: FileEntry, expected: Mapping[str, Spec]) -> dict:
    """The arrays of a safetensors file, in float32, after every check there is.

    Args:
        path: of the file.
        entry: its size and hash as the card says.
        expected: name -> (shape, dtype), exactly what the file must contain.
    """
    where = str(path)
    least = sum(np.dtype(d).itemsize * int(np.prod(s, dtype=object)) for s, d in expected.values())
    if not least <= entry.size <= least + _MAX_HEADER:
        refuse(
            where,
            f"cannot hold the weights of this model: the card says {entry.size:,} bytes, the "
            f"model's tensors have {least:,}",
        )
    data = read_file(path, entry.size)
    if len(data) < entry.size:
        refuse(where, f"was cut off: it has {len(data):,} of {entry.size:,} bytes; {AGAIN}")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        refuse(where, f"is damaged or of another version: its sha256 is not the card's; {AGAIN}")
    try:
        tensors = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{where} is not a safetensors file: {error}.") from error
    _compare(where, tensors, expected)
    arrays = {}
    for name, (shape, dtype) in expected.items():
        flat = np.frombuffer(tensors.pop(name)["data"], np.dtype(dtype).newbyteorder("<"))
        if not np.isfinite(flat).all():
            refuse(where, f"{name} has values that are not finite; {AGAIN}")
        arrays[name] = flat.reshape(shape).astype("float32")  # a writable copy of its own
    return arrays


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes files so that a crash or a full disk leaves the old ones, or a set whose last file
    does not fit the others; the last of `contents` appears last."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = {name: folder / f".{name}.{os.getpid()}.partial" for name in contents}
    try:
        for name, data in contents.items():
            with open(partial[name], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for name in contents:
            os.replace(partial[name], folder / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    if os.name == "posix":
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)  # the new names, too
        finally:
            os.close(directory)


def encode(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file; equal arrays give equal bytes."""
    return safetensors.numpy.save(
        {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    )


def entry_of(data: bytes) -> FileEntry:
    """Size and hash of a file's bytes."""
    return FileEntry(len(data), hashlib.sha256(data).hexdigest())


def compare_names(given: Mapping, expected: Mapping) -> list[str]:
    """What is missing and what is too much, in words; [] where the names are equal."""
    problems = []
    for verb, names in (
        ("lacks", sorted(expected.keys() - given.keys())),
        ("has in addition", sorted(given.keys() - expected.keys())),
    ):
        if names:
            problems.append(f"{verb} {few(names)}")
    return problems


def few(names: list[str]) -> str:
    """The first names, and how many more there are."""
    shown = [name[:100] for name in names[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _compare(where: str, tensors: Mapping[str, dict], expected: Mapping[str, Spec]) -> None:
    problems = compare_names(tensors, expected)
    for name in sorted(tensors.keys() & expected.keys()):
        shape, dtype = expected[name]
        found = tuple(tensors[name]["shape"]), tensors[name]["dtype"]
        if found != (shape, _CODES[dtype]):
            problems.append(f"has {name} as {found[1]}{found[0]}, not {_CODES[dtype]}{shape}")
    if problems:
        refuse(where, f"does not fit the model: it {'; it '.join(problems[:4])}")


def _open_at_once(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
