"""What the weights of a layer say alone: their size, condition and weight against the gradient."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.spectrum import largest_eigenvalue
from zoo.signals.taps import Tap, layers_of, named_kernels


def matrix(kernel) -> np.ndarray:
    """A kernel as a (fan_in, out) float64 matrix.

    Args:
        kernel: (…, in, out) tensor, variable or array, two dimensions or more.

    Raises:
        ZooError: fewer than two dimensions, no elements, or NaN.
    """
    kernel = getattr(kernel, "value", kernel)
    if "bfloat16" in str(getattr(kernel, "dtype", "")):
        kernel = ops.cast(kernel, "float32")
    w = np.asarray(ops.convert_to_numpy(kernel), "float64")
    if w.ndim < 2 or not w.size:
        raise ZooError(f"A kernel has two dimensions or more, (…, in, out). Received: {w.shape}")
    if not np.isfinite(w).all():
        raise ZooError("The kernel holds NaN or infinity.")
    return w.reshape(-1, w.shape[-1])


def spectral_norm(kernel) -> float:
    """The largest singular value of a kernel reshaped to (fan_in, out).

    Args and raises: as `matrix`.
    """
    w = matrix(kernel)
    if w.shape[0] < w.shape[1]:
        w = w.T
    return float(np.sqrt(largest_eigenvalue(lambda v: w.T @ (w @ v), w.shape[1])))


def condition_number(kernel) -> float:
    """||W||_inf ||W^+||_inf, the condition number in the infinity norm.

    W is (out, fan_in), as in h = W x: ||W||_inf is the largest sum of absolute weights of a unit.
    W^+ is the pseudoinverse; singular values within the rounding of the largest, as
    `numpy.linalg.matrix_rank` counts them, are left out of it. (Keras keeps W transposed; the
    transpose's infinity norm is another one.)

    Source: Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
        Connections", section VI.A, figure 5. Which side the units are on is not told there; its
        equation 2 has them in rows.

    Args:
        kernel: as `matrix` takes it; reshaped to (fan_in, out) and transposed.

    Returns:
        At least 1; NaN for a kernel of zeros.

    Raises:
        ZooError: as `matrix`.

    Example:

    >>> condition_number(np.diag([4.0, 0.5]))
    8.0
    """
    w = matrix(kernel).T
    if not w.any():
        return float("nan")
    inverse = np.linalg.pinv(w, rcond=max(w.shape) * np.finfo("float64").eps)
    return float(np.linalg.norm(w, np.inf) * np.linalg.norm(inverse, np.inf))


def of_kernels(
    model: keras.Model,
    function: Callable[[Any], Any],
    layers: Sequence[str | keras.Layer] | None = None,
) -> dict[str, Any]:
    """A function of every kernel of a model.

    Args:
        model: built.
        function: of a kernel: `condition_number`, `spectral_norm`, `filter_correlations`, ….
        layers: names, paths or layers; None for all that own a kernel.

    Returns:
        layer -> what the function gives; "layer/variable" where a layer owns several kernels. The
        names are those of `Probe`'s weight gradients.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: the model is not built, or has no kernel.

    Example:

    >>> of_kernels(zoo.load("maxnorm_mlp100.usps"), condition_number)["hidden50_dense"]
    """
    kernels = named_kernels(layers_of(model, layers))
    if not kernels:
        raise ZooError(f"{model.name} has no kernel in the layers looked at.")
    return {name: function(kernel) for name, kernel in kernels.items()}


def weight_domination(
    model: keras.Model,
    inputs,
    targets,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """sigma_max(dL/dW) / sigma_max(W) of every trainable kernel.

    A layer whose value lies far below the others' is dominated by its weight: a step of gradient
    descent hardly moves what it computes, and with batch normalization it looks like a minimum.

    Source: Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of
        DNNs", definition 1, section 4.1. No threshold for "far below" is given there.

    Args:
        model: built.
        inputs, targets: of a batch, as `Probe` takes them.
        layers, loss, training: as for `Probe`.

    Returns:
        layer -> ratio; infinite for a weight of zeros that gets a gradient, NaN where both vanish.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: as `Probe`; a weight or gradient is not finite.

    Example:

    >>> min(weight_domination(model, images, labels).items(), key=lambda item: item[1])
    ('hidden1_dense', 0.0004)
    """
    taps = {"both": Tap("weight_gradient", lambda kernel, gradient: ops.stack([kernel, gradient]))}
    both = Probe(model, taps, layers=layers, loss=loss, training=training)(inputs, targets)["both"]
    ratios = {}
    for name, (kernel, gradient) in both.items():
        try:
            ratios[name] = domination(kernel, gradient)
        except ZooError as error:
            raise ZooError(f"Weight or gradient of {name}: {error}") from error
    return ratios


def domination(kernel, gradient) -> float:
    """sigma_max(gradient) / sigma_max(kernel); see `weight_domination`.

    Args and raises: as `matrix`.
    """
    of_gradient, of_kernel = spectral_norm(gradient), spectral_norm(kernel)
    if of_kernel == 0:
        return float("inf") if of_gradient else float("nan")
    return of_gradient / of_kernel
