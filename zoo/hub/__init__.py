"""Checkpoints: cards, folders, names."""

from zoo.hub.card import BatchNorm, Card, FileEntry, Metric, Origin, Training, parse_card, to_json
from zoo.hub.checkpoint import load_checkpoint, read_card, save_checkpoint
from zoo.hub.index import list_weights, load
from zoo.hub.torch_file import read_torch_file

__all__ = [
    "BatchNorm",
    "Card",
    "FileEntry",
    "Metric",
    "Origin",
    "Training",
    "list_weights",
    "load",
    "load_checkpoint",
    "parse_card",
    "read_card",
    "read_torch_file",
    "save_checkpoint",
    "to_json",
]
