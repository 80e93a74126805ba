"""Weight constraints of the papers."""

from zoo.constraints.max_norm import MaxNorm

__all__ = ["MaxNorm"]
