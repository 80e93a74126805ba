"""Checkpoints on disk: cards, folders, weights."""

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
from zoo.checkpoint.folder import load_checkpoint, read_card, save_checkpoint
from zoo.checkpoint.new_card import new_card

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
