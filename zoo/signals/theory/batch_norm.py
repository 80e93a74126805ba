"""The Jacobian of batch normalization by the batch, its spectrum, and what both do to errors.

Of one channel of m examples, with population statistics:

    y = gamma x_hat + beta,    x_hat = (x - mean) / sqrt(var + epsilon)
    dy/dx = J = rho (I - U / m),    rho = gamma / sqrt(var + epsilon),    U = e e^T + x_hat x_hat^T

Channels do not mix, so the Jacobian of a whole layer is block diagonal, one J for each channel
(equations 4 and 11), and the sorting of its entries by example (equations 9 and 10) is the same
matrix with rows and columns permuted.

References: Xie et al., "All You Need is Beyond a Good Init", sections 3.1, 3.3 and 7.
"""

from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.signals.theory.arrays import to_float64


def batch_norm_jacobian(x: Any, gamma: float = 1.0, epsilon: float = 1e-3) -> np.ndarray:
    """The Jacobian dy_i/dx_j of one channel of batch normalization.

        J_ij = rho [ 1(i = j) - (1 + x_hat_i x_hat_j) / m ]

    It is symmetric.

    Args:
        x: Array (m,), the channel's values over the examples (of a convolution: and positions).
        gamma: Float, the scale.
        epsilon: Float, added to the variance.

    Returns:
        Array (m, m).

    Raises:
        ZooError: Fewer than two values, a value that is not finite, or a variance of 0 with an
            epsilon of 0.

    References:
        Xie et al., "All You Need is Beyond a Good Init", equations 6, 12 and 14.

    Example:

    >>> batch_norm_jacobian([-1.0, 0.0, 1.0], epsilon=0.0).round(3) + 0.0
    array([[ 0.204, -0.408,  0.204],
           [-0.408,  0.816, -0.408],
           [ 0.204, -0.408,  0.204]])
    """
    x_hat, rho, _ = _normalized(x, gamma, epsilon)
    m = len(x_hat)
    return rho * (np.eye(m) - (1 + np.outer(x_hat, x_hat)) / m)


def batch_norm_spectrum(x: Any, gamma: float = 1.0, epsilon: float = 1e-3) -> np.ndarray:
    """The eigenvalues of `batch_norm_jacobian`, without forming it.

        rho, m - 2 times;    rho (1 - lambda_2 / m) = rho epsilon / (var + epsilon);
        rho (1 - lambda_1 / m) = 0

    So it is never of full rank. lambda_1 = m and lambda_2 = m var / (var + epsilon) are the
    eigenvalues of U, of the eigenvectors e and x_hat, which are orthogonal. The paper has both as
    about m in large batches; for the batch's own statistics they are these, exactly.

    Args:
        x: Array (m,).
        gamma: Float, the scale.
        epsilon: Float, added to the variance.

    Returns:
        Array (m,), falling in absolute value.

    Raises:
        ZooError: As `batch_norm_jacobian`.

    References:
        Xie et al., "All You Need is Beyond a Good Init", equations 7 and 15 to 18.

    Example:

    >>> batch_norm_spectrum([-2.0, 0.0, 0.0, 2.0], epsilon=2.0)
    array([0.5 , 0.5 , 0.25, 0.  ])
    """
    x_hat, rho, rest = _normalized(x, gamma, epsilon)
    return rho * np.concatenate([np.ones(len(x_hat) - 2), [rest, 0.0]])


def batch_norm_errors(x: Any, errors: Any, gamma: float = 1.0, epsilon: float = 1e-3) -> np.ndarray:
    """The errors dl/dx below a batch normalization, from those above it.

        dl/dx_i = rho [ d_i - mean(d) - x_hat_i mean(d x_hat) ],    d = dl/dy

    Args:
        x: Array (m, …), examples first; all other axes are channels of their own.
        errors: Array of the shape of x, dl/dy.
        gamma: Float, the scale.
        epsilon: Float, added to the variance.

    Returns:
        Array of the shape of x, dl/dx.

    Raises:
        ZooError: The shapes differ; and as `batch_norm_jacobian`.

    References:
        Xie et al., "All You Need is Beyond a Good Init", equation 1.

    Example:

    >>> batch_norm_errors([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], epsilon=0.0).round(3)
    array([ 0.408, -0.816,  0.408])
    """
    x_hat, rho, _ = _normalized(x, gamma, epsilon)
    d = to_float64(errors)
    if d.shape != x_hat.shape:
        raise ZooError(f"errors must have the shape of x, {x_hat.shape}. Received: {d.shape}")
    return rho * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))


class BatchNormRatios(NamedTuple):
    """Ratios of each channel of a batch normalization; arrays of the channels' shape.

    Attributes:
        forward: R_f = 1 / var.
        backward: R_b = (1 - z / m) / var.
        z: Of mean 1 and variance 2 over independent, normal errors and values.
    """

    forward: np.ndarray
    backward: np.ndarray
    z: np.ndarray


def batch_norm_ratios(x: Any, errors: Any) -> BatchNormRatios:
    """What batch normalization does to the variance of each channel and of its errors.

        R_f = 1 / var,    R_b = (1 - z / m) / var,    z = (sum_i s_i x_hat_i)^2 / m

    s are the errors, divided by their standard deviation. It holds for gamma = 1 and epsilon = 0,
    exactly where the errors' mean is taken out of s, as it is here.

    Args:
        x: Array (m, …), examples first.
        errors: Array of the shape of x, dl/dy.

    Returns:
        `BatchNormRatios`.

    Raises:
        ZooError: As `batch_norm_errors`, with an epsilon of 0.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", proposition 3.8.

    Example:

    >>> x = np.array([[-2.0], [0.0], [0.0], [2.0]])
    >>> batch_norm_ratios(x, [[1.0], [-1.0], [1.0], [-1.0]])
    BatchNormRatios(forward=array([0.5]), backward=array([0.25]), z=array([2.]))
    """
    below = batch_norm_errors(x, errors, epsilon=0.0)
    x, errors = to_float64(x), to_float64(errors)
    forward = 1 / x.var(axis=0)
    backward = below.var(axis=0) / errors.var(axis=0)
    return BatchNormRatios(forward, backward, len(x) * (1 - backward / forward))


def _normalized(x: Any, gamma: float, epsilon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x_hat, rho and epsilon / (var + epsilon)."""
    x = to_float64(x)
    if x.ndim < 1 or len(x) < 2 or not np.isfinite(x).all():
        raise ZooError(
            f"Batch normalization needs two finite examples or more. Received: shape={x.shape}"
        )
    whole = x.var(axis=0) + epsilon
    if not np.all(whole > 0):
        raise ZooError(
            f"var + epsilon must be positive: give an epsilon. Received: epsilon={epsilon}"
        )
    return (x - x.mean(axis=0)) / np.sqrt(whole), gamma / np.sqrt(whole), epsilon / whole
