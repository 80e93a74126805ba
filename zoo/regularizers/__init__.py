"""Weight regularizers of the papers."""

import warnings
from typing import Any

from zoo.regularizers.orthonormal import OrthonormalRegularizer
from zoo.regularizers.scaled_orthogonal import ScaledOrthogonalRegularizer
from zoo.regularizers.sum import Sum

__all__ = ["OrthonormalRegularizer", "ScaledOrthogonalRegularizer", "Sum"]


def __getattr__(name: str) -> Any:
    if name == "Total":
        warnings.warn("zoo.regularizers.Total is Sum now.", DeprecationWarning, stacklevel=2)
        return Sum
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
