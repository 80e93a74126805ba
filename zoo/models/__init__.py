"""Architectures: one file per family, a registry of names."""

from zoo.models.freeze import freeze
from zoo.models.registry import create, list_models

__all__ = ["create", "freeze", "list_models"]
