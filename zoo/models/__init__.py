"""Architectures: one file per family, a table of variants in each."""

import importlib
import warnings
from typing import Any

from zoo.models.freeze import freeze

__all__ = ["freeze"]

# Names that were here before, and the modules that they are in now.
_MOVED = {
    "ResidualBlock": "zoo.layers",
    "ResidualStage": "zoo.layers",
    "create": "zoo",
    "list_models": "zoo",
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_MOVED[name])
    warnings.warn(
        f"zoo.models.{name} is {home.__name__}.{name} now.", DeprecationWarning, stacklevel=2
    )
    return getattr(home, name)
