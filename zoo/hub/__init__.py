"""Checkpoints by name, and the Hugging Face Hub."""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from zoo.hub.cache import Cached, list_cached
from zoo.hub.index import card, list_weights
from zoo.hub.published import Published

if TYPE_CHECKING:
    from zoo.hub.loading import load

__all__ = ["Cached", "Published", "card", "list_cached", "list_weights", "load"]

# Imported when first asked for: it brings Keras in.
_LATER = {"load": "zoo.hub.loading"}

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
    home = _LATER.get(name) or _MOVED.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MOVED:
        warnings.warn(f"zoo.hub.{name} is now {home}.{name}.", DeprecationWarning, stacklevel=2)
    return getattr(importlib.import_module(home), name)
