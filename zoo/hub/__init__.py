"""Checkpoints by name, and the Hugging Face Hub."""

import importlib
import warnings
from typing import Any

from zoo.hub.index import card, list_weights, load
from zoo.hub.publish import Published, publish

__all__ = ["Published", "card", "list_weights", "load", "publish"]

# Where the names are now that this package had before it was divided.
_MOVED = {
    **dict.fromkeys(
        (
            *("BatchNorm", "Card", "FileEntry", "Metric", "Origin", "Training"),
            *("load_checkpoint", "parse_card", "read_card", "save_checkpoint", "to_json"),
        ),
        "zoo.checkpoint",
    ),
    **dict.fromkeys(("export", "read_torch_file"), "zoo.formats"),
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"zoo.hub.{name} is now {_MOVED[name]}.{name}.", DeprecationWarning, stacklevel=2)
    return getattr(importlib.import_module(_MOVED[name]), name)
