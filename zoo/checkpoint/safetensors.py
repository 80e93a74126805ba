"""Tensors from the bytes of one safetensors file: views, no copies, and no byte without an owner.

The format: eight bytes with the length n of the header, n bytes of JSON, the numbers. The header
is data of a stranger: all of it is checked before any of it is used.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from zoo.checkpoint.schema import is_text, parse_json, refuse, show

MAX_HEADER = 4_000_000  # ten times that of the deepest net here
_MAX_RANK = 8  # a product of many large sides would take minutes
_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("BOOL", "I8", "U8"), 1),
}


class Tensor(NamedTuple):
    """A tensor as the file has it: "F32" or its like, shape, and bytes (little-endian)."""

    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray


def parse_tensors(data: np.ndarray, where: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Args:
        data: (n,) uint8, the whole file.
        where: names it in errors.

    Returns:
        Name -> tensor; the bytes are views of `data`.

    Raises:
        CheckpointError: the header is larger than 4 MB or no JSON of such a header; a tensor has
            another size than its shape and dtype say; tensors overlap, leave gaps or reach out.
    """
    length = int.from_bytes(data[:8].tobytes(), "little")
    if not 2 <= length <= min(MAX_HEADER, len(data) - 8):
        refuse(where, f"is not a safetensors file: a header of {length:,} bytes cannot be")
    header = parse_json(data[8 : 8 + length].tobytes(), f"{where}: header", MAX_HEADER)
    if not isinstance(header, dict):
        refuse(where, f"header must be an object. Received: {show(header)}")
    remarks = header.pop("__metadata__", {})
    if not isinstance(remarks, dict) or not all(map(is_text, (*remarks, *remarks.values()))):
        refuse(where, f"__metadata__ must be an object of texts. Received: {show(remarks)}")
    numbers = data[8 + length :]
    entries = {name: _entry(name, value, where) for name, value in header.items()}
    end = 0
    for name, (_, _, start, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if start != end:
            refuse(where, f"{show(name)} begins at byte {start} of the data, not at {end}")
        end = stop
    if end != len(numbers):
        refuse(where, f"has {len(numbers):,} bytes of data, its tensors have {end:,}")
    return {
        name: Tensor(dtype, shape, numbers[start:stop])
        for name, (dtype, shape, start, stop) in entries.items()
    }


def _entry(name: str, value: Any, where: str) -> tuple[str, tuple[int, ...], int, int]:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, stop], **rest} if (
            not rest
            and is_text(name)
            and dtype in _BYTES
            and len(shape) <= _MAX_RANK
            and all(type(n) is int and n >= 0 for n in (*shape, start, stop))
            and stop - start == math.prod(shape) * _BYTES[dtype]
        ):
            return dtype, tuple(shape), start, stop
    refuse(where, f"header: {show(name)} is no tensor: {show(value)}")
