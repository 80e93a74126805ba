"""Weight regularizers of the papers."""

from zoo.regularizers.orthonormal import OrthonormalRegularizer
from zoo.regularizers.scaled_orthogonal import ScaledOrthogonalRegularizer

__all__ = ["OrthonormalRegularizer", "ScaledOrthogonalRegularizer"]
