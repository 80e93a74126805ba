"""Architectures: one file per family, a registry of names."""

from zoo.models.registry import create, list_models

__all__ = ["create", "list_models"]
