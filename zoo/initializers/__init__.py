"""Weight initializers of the papers."""

from zoo.initializers.orthonormal import Orthonormal

__all__ = ["Orthonormal"]
