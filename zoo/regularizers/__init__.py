"""Weight regularizers of the papers."""

from zoo.regularizers.orthonormal import OrthonormalRegularizer

__all__ = ["OrthonormalRegularizer"]
