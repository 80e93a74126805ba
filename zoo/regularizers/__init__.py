"""Weight regularizers of the papers."""

from zoo.regularizers.orthonormal import OrthonormalRegularizer
from zoo.regularizers.scaled_orthogonal import ScaledOrthogonalRegularizer
from zoo.regularizers.total import Total

__all__ = ["OrthonormalRegularizer", "ScaledOrthogonalRegularizer", "Total"]
