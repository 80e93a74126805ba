"""Norms and condition numbers of kernels."""

from typing import Any

import numpy as np

from zoo.signals.theory.arrays import kernel_matrix
from zoo.signals.theory.spectrum import largest_eigenvalue


def spectral_norm(kernel: Any) -> float:
    """The largest singular value of a kernel reshaped to (fan_in, out).

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.

    Returns:
        Float.

    Raises:
        ZooError: Fewer than two dimensions, no elements, or NaN.

    Example:

    >>> round(spectral_norm([[3.0, 0.0], [0.0, 4.0]]), 9)
    4.0
    """
    w = kernel_matrix(kernel)
    if w.shape[0] < w.shape[1]:
        w = w.T
    return float(np.sqrt(largest_eigenvalue(lambda v: w.T @ (w @ v), w.shape[1])))


def condition_number(kernel: Any) -> float:
    """||W||_inf ||W^+||_inf, the condition number in the infinity norm.

    W is (out, fan_in), as in h = W x: ||W||_inf is the largest sum of absolute weights of a unit.
    W^+ is the pseudoinverse; singular values within the rounding of the largest, as
    `numpy.linalg.matrix_rank` counts them, are left out of it. (Keras keeps W transposed; the
    transpose's infinity norm is another one.)

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more; reshaped to
            (fan_in, out) and transposed.

    Returns:
        Float, at least 1; NaN for a kernel of zeros.

    Raises:
        ZooError: Fewer than two dimensions, no elements, or NaN.

    References:
        Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
        Connections", section VI.A, figure 5. Which side the units are on is not said there; its
        equation 2 has them in rows.

    Example:

    >>> condition_number(np.diag([4.0, 0.5]))
    8.0
    """
    w = kernel_matrix(kernel).T
    if not w.any():
        return float("nan")
    inverse = np.linalg.pinv(w, rcond=max(w.shape) * np.finfo("float64").eps)
    return float(np.linalg.norm(w, np.inf) * np.linalg.norm(inverse, np.inf))


def domination(kernel: Any, gradient: Any) -> float:
    """sigma_max(gradient) / sigma_max(kernel): small where the weight dominates.

    Args:
        kernel: Array, variable or tensor (…, in, out), two dimensions or more.
        gradient: Array of the kernel's shape.

    Returns:
        Float; infinite for a kernel of zeros with a gradient, NaN where both vanish.

    Raises:
        ZooError: Fewer than two dimensions, no elements, or NaN.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        definition 1, section 4.1.

    Example:

    >>> round(domination([[4.0]], [[2.0]]), 9)
    0.5
    """
    of_gradient, of_kernel = spectral_norm(gradient), spectral_norm(kernel)
    if of_kernel == 0:
        return float("inf") if of_gradient else float("nan")
    return of_gradient / of_kernel
