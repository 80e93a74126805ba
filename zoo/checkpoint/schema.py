"""Strict JSON into frozen dataclasses: their type hints are the schema.

Every error is a `CheckpointError` that names the file, the field, what was received and what is
allowed, whatever the bytes are.
"""

import dataclasses
import json
import math
import re
import reprlib
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from zoo.errors import CheckpointError, UnknownNameError, ZooError

MAX_BYTES = 1_000_000
_MAX_DIGITS = 18  # fits 64 bits

# Control characters, line separators, orders to write from right to left, lone surrogates: nothing
# that can trick a terminal, or that UTF-8 and YAML cannot carry. Line feeds and tabs may stay.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)

_KINDS = {
    bool: "true or false",
    int: "an integer",
    float: "a finite number",
    str: "text without control characters",
    NoneType: "null",
}


def parse_json(data: bytes, where: str, limit: int = MAX_BYTES) -> Any:
    """The value of a UTF-8 JSON text of at most `limit` bytes; `where` names it in errors."""
    if len(data) > limit:
        refuse(where, f"is larger than {limit:,} bytes, the most that is read")
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique_keys, parse_int=_short_integer
        )
    except UnicodeDecodeError as error:
        refuse(where, f"is not UTF-8 text ({error.reason} at byte {error.start})")
    except RecursionError:
        refuse(where, "is nested too deeply")
    except ValueError as error:
        refuse(where, f"is not valid JSON: {error}")


def read_record(kind: type, value: Any, where: str, path: str = "") -> Any:
    """The dataclass `kind` from a JSON object: no key too many or missing, exact types."""
    if not isinstance(value, dict):
        _wrong(where, path, "an object", value)
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            unknown = UnknownNameError("field", key[:80], hints)
            raise CheckpointError(f"{where}: {path + ': ' if path else ''}{unknown}")
    prefix = f"{path}." if path else ""
    for key in hints:  # in order, so that the same file gives the same message
        if key not in value and key not in optional(kind):
            refuse(where, f"{prefix}{key} is missing")
    fields = {key: _read(hints[key], value[key], where, prefix + key) for key in value}
    try:
        return kind(**fields)
    except ZooError as error:  # a dataclass that checks itself
        raise CheckpointError(f"{where}: {path}: {error}") from None


def optional(kind: type) -> set[str]:
    """Names of the fields of a record that a file may lack: younger than the format."""
    return {f.name for f in dataclasses.fields(kind) if f.metadata.get("optional")}


def is_text(value: Any) -> bool:
    """Whether it is text that can be shown and stored anywhere."""
    return isinstance(value, str) and not _UNFIT.search(value)


def refuse(where: str, problem: str) -> NoReturn:
    """Raises the error about a file: nothing of it is used."""
    raise CheckpointError(f"{where}: {problem}.")


def show(value: Any) -> str:
    """A short `repr`, also of huge and deeply nested values."""
    return reprlib.repr(value)


def _read(hint: Any, value: Any, where: str, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return read_record(hint, value, where, path)
    if origin is UnionType:
        return _read_union(arguments, value, where, path)
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            _wrong(where, path, " or ".join(map(repr, arguments)), value)
        return value
    if origin is tuple:
        return _read_tuple(arguments, value, where, path)
    if origin is Mapping:
        if not isinstance(value, dict):
            _wrong(where, path, "an object", value)
        item = arguments[1]
        return {
            _read(str, k, where, f"{path} key"): _read(item, v, where, f"{path}[{show(k)}]")
            for k, v in value.items()
        }
    if hint is float and type(value) is int:
        value = float(value)
    if (
        type(value) is not hint
        or (hint is float and not math.isfinite(value))
        or (hint is str and not is_text(value))
    ):
        _wrong(where, path, _KINDS[hint], value)
    return value


def _read_union(hints: tuple, value: Any, where: str, path: str) -> Any:
    for hint in hints:
        if type(value) is hint:
            return _read(hint, value, where, path)
    # One way is left for what is no scalar: its error says the most.
    rest = [hint for hint in hints if hint not in _KINDS]
    if isinstance(value, dict | list) and rest:
        return _read(rest[0], value, where, path)
    if type(value) is int and float in hints:
        return float(value)
    _wrong(where, path, " or ".join(_KINDS.get(h) or _shape_of(h) for h in hints), value)


def _shape_of(hint: Any) -> str:
    return "a list" if get_origin(hint) is tuple else "an object"


def _read_tuple(items: tuple, value: Any, where: str, path: str) -> tuple:
    if not isinstance(value, list):
        _wrong(where, path, "a list", value)
    if len(items) == 2 and items[1] is Ellipsis:
        items = items[:1] * len(value)
    elif len(value) != len(items):
        _wrong(where, path, f"a list of {len(items)}", value)
    return tuple(
        _read(item, entry, where, f"{path}[{i}]")
        for i, (item, entry) in enumerate(zip(items, value, strict=True))
    )


def _wrong(where: str, path: str, allowed: str, value: Any) -> NoReturn:
    refuse(where, f"{path or 'the whole'} must be {allowed}. Received: {show(value)}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {show(key)} occurs twice in one object")
        result[key] = value
    return result


def _short_integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; {_MAX_DIGITS} are allowed")
    return int(text)
