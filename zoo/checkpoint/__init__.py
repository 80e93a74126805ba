"""Checkpoints on disk: cards, folders, weights."""

import importlib
from typing import TYPE_CHECKING, Any

from zoo.checkpoint.card import (
    BatchNorm,
    Card,
    FileEntry,
    Metric,
    Origin,
    Training,
    parse_card,
    to_json,
)
from zoo.checkpoint.files import read_card

if TYPE_CHECKING:
    from zoo.checkpoint.folder import load_checkpoint, save_checkpoint
    from zoo.checkpoint.new import new_card

__all__ = [
    "BatchNorm",
    "Card",
    "FileEntry",
    "Metric",
    "Origin",
    "Training",
    "load_checkpoint",
    "new_card",
    "parse_card",
    "read_card",
    "save_checkpoint",
    "to_json",
]

# Imported when first asked for: they bring Keras in.
_LATER = {
    "load_checkpoint": "zoo.checkpoint.folder",
    "new_card": "zoo.checkpoint.new",
    "save_checkpoint": "zoo.checkpoint.folder",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
