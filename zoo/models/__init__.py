"""Architectures: one file per family, a registry of names."""

from zoo.models.freeze import freeze
from zoo.models.registry import create, list_models
from zoo.models.residual_block import ResidualBlock, ResidualStage

__all__ = ["ResidualBlock", "ResidualStage", "create", "freeze", "list_models"]
