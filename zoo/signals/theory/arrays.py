"""Arrays of any framework, as NumPy takes them."""

from typing import Any

import numpy as np

from zoo.errors import ZooError


def to_float64(values: Any) -> np.ndarray:
    """A float64 array of numbers, a variable or a tensor of any backend, on any device.

    Args:
        values: Numbers, array, variable or tensor.

    Returns:
        Array, float64.

    Example:

    >>> to_float64([1, 2])
    array([1., 2.])
    """
    values = getattr(values, "value", values)
    if hasattr(values, "detach"):  # PyTorch gives no array of what has gradients or is bfloat16
        values = values.detach().cpu().double()
    return np.asarray(values, "float64")


def kernel_matrix(kernel: Any) -> np.ndarray:
    """A kernel as a (fan_in, out) float64 matrix.

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.

    Returns:
        Array (fan_in, out), float64.

    Raises:
        ZooError: Fewer than two dimensions, no elements, or NaN.

    Example:

    >>> kernel_matrix(np.zeros((3, 3, 16, 32))).shape
    (144, 32)
    """
    w = to_float64(kernel)
    if w.ndim < 2 or not w.size:
        raise ZooError(f"A kernel has two dimensions or more, (…, in, out). Received: {w.shape}")
    if not np.isfinite(w).all():
        raise ZooError("The kernel holds NaN or infinity.")
    return w.reshape(-1, w.shape[-1])
