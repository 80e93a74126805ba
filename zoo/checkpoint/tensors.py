"""Weights as safetensors files: written tensor by tensor, in shards where they are large, and read
only when they are what the card says."""

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.checkpoint.card import CARD_FILE, INDEX_FILE, WEIGHTS_FILE, Card, FileEntry, shard_names
from zoo.checkpoint.files import AGAIN, open_file
from zoo.checkpoint.safetensors import MAX_HEADER, Tensor, parse_tensors
from zoo.checkpoint.schema import MAX_BYTES, parse_json, refuse
from zoo.models.deferred import ALIGNMENT
from zoo.models.transfer import compare_names

# Tensors of one file, in bytes; a larger checkpoint is written in shards.
MAX_SHARD_SIZE = 500_000_000

_CHUNK = 1 << 20
_CODES = {"float32": "F32", "float16": "F16"}

# Shape and dtype that a stored tensor must have.
Spec = tuple[tuple[int, ...], str]


def split(expected: Mapping[str, Spec], max_shard_size: int) -> dict[str, list[str]]:
    """Files of the weights, each with the names of its tensors, in the order of `expected`.

    Args:
        expected: name -> (shape, dtype).
        max_shard_size: bytes of tensors in one file; a larger tensor has a file of its own.
    """
    groups: list[list[str]] = [[]]
    size = 0
    for name, spec in expected.items():
        if groups[-1] and size + _bytes(spec) > max_shard_size:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += _bytes(spec)
    files = [WEIGHTS_FILE] if len(groups) == 1 else shard_names(len(groups))
    return dict(zip(files, groups, strict=True))


def encode(
    names: Sequence[str], expected: Mapping[str, Spec], array: Callable[[str], np.ndarray]
) -> Iterator[bytes]:
    """A safetensors file in pieces, one tensor after another; equal arrays give equal bytes.

    Args:
        names: of the tensors.
        expected: name -> (shape, dtype).
        array: gives the tensor of a name, with that shape and dtype.
    """
    names = _in_order(names, expected)
    header, end = {}, 0
    for name in names:
        (shape, dtype), start = expected[name], end
        end += _bytes(expected[name])
        header[name] = {"dtype": _CODES[dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        stored = np.dtype(expected[name][1]).newbyteorder("<")
        yield np.ascontiguousarray(array(name), stored).tobytes()


def _in_order(names: Iterable[str], expected: Mapping[str, Spec]) -> list[str]:
    """The order of the safetensors library: wide types first, so that all are aligned."""
    return sorted(names, key=lambda name: (-np.dtype(expected[name][1]).itemsize, name))


def encode_index(shards: Mapping[str, Sequence[str]], expected: Mapping[str, Spec]) -> bytes:
    """The index by which readers of safetensors find a tensor's shard."""
    index = {
        "metadata": {"total_size": sum(map(_bytes, expected.values()))},
        "weight_map": {name: file for file, names in shards.items() for name in names},
    }
    return (json.dumps(index, indent=2, sort_keys=True) + "\n").encode()


def check_sizes(folder: Path, card: Card) -> None:
    """Refuses files of other sizes than the card's, and fewer bytes than its weights need: what is
    built after that is bounded by what there is."""
    for name in (*card.weight_files, INDEX_FILE):
        if name in card.files:
            with open_file(folder / name, card.files[name].size) as file:
                _check_end(folder / name, file.seek(0, os.SEEK_END), card.files[name])
    size = sum(card.files[name].size for name in card.weight_files)
    if card.params * (2 if card.dtype == "float16" else 4) > size:
        refuse(
            str(folder / CARD_FILE),
            f"params must fit into the weights' {size:,} bytes. Received: {card.params}",
        )


def read_weights(folder: Path, card: Card, expected: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint folder, in float32, after every check there is.

    Args:
        folder: of the checkpoint.
        card: names the files, their sizes and hashes.
        expected: name -> (shape, dtype), exactly what the files must contain.

    Raises:
        CheckpointError: a file is missing, damaged, or holds other tensors.
    """
    parts: Mapping[str, Mapping[str, Spec]] = {WEIGHTS_FILE: expected}
    if INDEX_FILE in card.files:
        parts = _parts(folder, card, expected)
    for file, specs in parts.items():
        size, least = card.files[file].size, sum(map(_bytes, specs.values()))
        if not least <= size <= least + MAX_HEADER:
            refuse(
                str(folder / file),
                f"cannot hold the weights of this model: the card says {size:,} bytes, the "
                f"model's tensors have {least:,}",
            )
    arrays: dict[str, np.ndarray] = {}
    for file, specs in parts.items():
        try:
            arrays |= _read_tensors(folder / file, card.files[file], specs)
        except MemoryError:
            refuse(str(folder / file), "needs more memory than there is")
    return arrays


def _parts(folder: Path, card: Card, expected: Mapping[str, Spec]) -> dict[str, dict[str, Spec]]:
    """File -> what it must contain, as the index says: every tensor in one place."""
    path = folder / INDEX_FILE
    where = str(path)
    if card.files[INDEX_FILE].size > MAX_BYTES:
        refuse(where, f"is larger than {MAX_BYTES:,} bytes, the most that is read")
    index = parse_json(_read(path, card.files[INDEX_FILE]).tobytes(), where)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict):
        refuse(where, "has no weight_map")
    if problems := compare_names(places, expected):
        refuse(where, f"does not fit the model: it {'; it '.join(problems)}")
    parts: dict[str, dict[str, Spec]] = {file: {} for file in card.weight_files}
    for name, spec in expected.items():
        if (file := places[name]) not in card.weight_files:
            refuse(where, f"has {name} in a file that is not among the card's shards")
        parts[file][name] = spec
    return parts


def _read_tensors(
    path: Path, entry: FileEntry, expected: Mapping[str, Spec]
) -> dict[str, np.ndarray]:
    where = str(path)
    tensors = parse_tensors(_read(path, entry, _most_begin_at(expected)), where)
    _compare(where, tensors, expected)
    arrays = {}
    halves = any(dtype == "float16" for _, dtype in expected.values())
    for name, (shape, dtype) in expected.items():
        flat = np.frombuffer(tensors[name].data, np.dtype(dtype).newbyteorder("<"))
        if not np.isfinite(flat).all():
            refuse(where, f"{name} has values that are not finite; {AGAIN}")
        # A view, where the file is float32: nobody else has these bytes, which may be written to.
        # Else a copy also of the vectors, which would keep the whole file in memory.
        arrays[name] = flat.reshape(shape).astype("float32", copy=halves)
    return arrays


def _most_begin_at(expected: Mapping[str, Spec]) -> int:
    """Place modulo `ALIGNMENT` behind the header at which most of the bytes' tensors begin."""
    sizes: Counter[int] = Counter()
    end = 0
    for name in _in_order(expected, expected):
        sizes[end % ALIGNMENT] += _bytes(expected[name])
        end += _bytes(expected[name])
    return max(sizes, key=sizes.__getitem__, default=0)


def _read(path: Path, entry: FileEntry, begin: int = 0) -> np.ndarray:
    """All bytes of a file whose size and hash are the card's: those that were hashed.

    They lie so that byte `begin` behind a safetensors header is at a multiple of `ALIGNMENT`.
    """
    memory = np.empty(entry.size + ALIGNMENT, "uint8")
    digest, end = hashlib.sha256(), 0
    with open_file(path, entry.size) as file:
        begin += 8 + int.from_bytes(file.peek(8)[:8], "little")
        data = memory[-(memory.ctypes.data + begin) % ALIGNMENT :][: entry.size]
        # Hashed while it is in the processor's cache.
        while count := file.readinto(data[end : end + _CHUNK].data):
            digest.update(data[end : end + count].data)
            end += count
    _check_end(path, end, entry)
    if digest.hexdigest() != entry.sha256:
        refuse(
            str(path), f"is damaged or of another version: its sha256 is not the card's; {AGAIN}"
        )
    return data


def _check_end(path: Path, end: int, entry: FileEntry) -> None:
    if end < entry.size:
        refuse(str(path), f"was cut off: it has {end:,} of {entry.size:,} bytes; {AGAIN}")


def _compare(where: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Spec]) -> None:
    problems = compare_names(tensors, expected)
    for name in sorted(tensors.keys() & expected.keys()):
        shape, dtype = expected[name]
        stored = tensors[name]
        if (stored.shape, stored.dtype) != (shape, _CODES[dtype]):
            problems.append(
                f"has {name} as {stored.dtype}{stored.shape}, not {_CODES[dtype]}{shape}"
            )
    if problems:
        refuse(where, f"does not fit the model: it {'; it '.join(problems[:4])}")


def _bytes(spec: Spec) -> int:
    shape, dtype = spec
    return math.prod(shape) * np.dtype(dtype).itemsize
