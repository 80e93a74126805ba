"""Which commit of which repository a built-in name stands for: `pins.json` of this package.

A name that is not shipped is downloaded from its pin, and never anything else: the commit fixes
the files, and the hash of the card is checked beside.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from zoo.checkpoint.files import read_file
from zoo.checkpoint.schema import MAX_BYTES, parse_json, read_record, refuse, show

PINS = Path(__file__).with_name("pins.json")

_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_-]+")
_RIGHT = {
    "repo": (re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII), "'org/name'"),
    "commit": (re.compile(r"[0-9a-f]{40}"), "40 hex digits"),
    "sha256": (re.compile(r"[0-9a-f]{64}"), "64 hex digits"),
}


@dataclass(frozen=True)
class Pin:
    """Repository and commit of a checkpoint, and the SHA-256 of its `zoo.json`."""

    repo: str
    commit: str
    sha256: str


def read_pins(path: Path | None = None) -> dict[str, Pin]:
    """The pins by checkpoint name.

    Args:
        path: of the file; None for that of the package.

    Raises:
        CheckpointError: the file is missing, or anything in it is not as it should be.
    """
    path = path or PINS
    where = str(path)
    value = parse_json(read_file(path, MAX_BYTES), where)
    if not isinstance(value, dict):
        refuse(where, f"the whole must be an object. Received: {show(value)}")
    pins = {}
    for name, entry in value.items():
        if not _NAME.fullmatch(name):
            refuse(where, f"names must be 'architecture.tag'. Received: {show(name)}")
        pin = pins[name] = read_record(Pin, entry, where, name)
        for field, (pattern, allowed) in _RIGHT.items():
            if not pattern.fullmatch(received := getattr(pin, field)):
                refuse(where, f"{name}.{field} must be {allowed}. Received: {show(received)}")
    return pins
