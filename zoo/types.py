"""Types of signatures across the zoo."""

from typing import Any, TypeAlias

# A tensor of the backend at hand, a `keras.KerasTensor` of a graph, or a NumPy array.
Tensor: TypeAlias = Any

# None is an open size.
Shape: TypeAlias = tuple[int | None, ...]
