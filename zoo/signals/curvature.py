"""Exact curvature of small dense nets: the Fisher matrix, and the gradients' second moment."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.outputs import output_activation
from zoo.signals.linear import LinearSignals
from zoo.signals.taps import kernels_of
from zoo.signals.theory.covariance import Covariance
from zoo.signals.theory.spectrum import Spectrum

# 8192^2 numbers are half a gigabyte; a spectrum takes minutes.
LIMIT = 8192
# Gradients are taken in pieces of this many numbers.
_PIECE = 2**22


@dataclasses.dataclass(frozen=True)
class Curvature:
    """A curvature matrix over the kernels of some dense layers.

    Attributes:
        matrix: Array (n, n), float64, symmetric. Kernels follow one another in the order of the
            model, each flattened row by row from Keras's (in, out).
        sizes: Dict, layer -> number of weights.
    """

    matrix: np.ndarray
    sizes: dict[str, int]

    def block(self, layer: str) -> np.ndarray:
        """The matrix of one layer's weights.

        Args:
            layer: Name, a key of `sizes`.

        Returns:
            Array (D_in D_out, D_in D_out).

        Raises:
            ZooError: There is no such layer.
        """
        start = 0
        for name, size in self.sizes.items():
            if name == layer:
                return self.matrix[start : start + size, start : start + size]
            start += size
        raise ZooError(f"layer must be one of {list(self.sizes)}. Received: {layer!r}")

    def spectrum(self, layer: str | None = None) -> Spectrum:
        """The spectrum of the full matrix, or of one layer's block.

        Args:
            layer: Name, a key of `sizes`; None for the full matrix.

        Returns:
            `Spectrum`.

        Raises:
            ZooError: There is no such layer.
        """
        return Spectrum.of(self.matrix if layer is None else self.block(layer))


def fisher(
    model: keras.Model,
    inputs: Any,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    training: bool = True,
    limit: int = LIMIT,
    seed: int = 0,
) -> Curvature:
    """The exact Fisher information matrix of a classifier's kernels.

        F = 1/N sum_i sum_y q(y | x_i) g_iy g_iy^T,    g_iy = d(-log q(y | x_i)) / d theta

    Every class is taken with the probability that the model gives it: one pass per class. theta
    are the kernels of dense layers, without biases or batch normalization, as in equation 3.

    With batch normalization and `training=True` examples act on one another, and g_iy = x_i dh_i^T
    is the example's share of the gradient of all losses. The other examples' labels must then be
    those that the model would draw, independently: normalization cancels what all errors have in
    common. So pass c sends back s_i sqrt(C q_y) (q - 1_y) from the logits of example i, with random
    signs s_i and y = r_i + c, r_i random. These errors are independent and have mean 0 and the
    covariance of drawn labels, so F is unbiased; without such layers it is exact.

    Args:
        model: Keras model, built; its output are class probabilities (last layer with softmax) or
            logits, (N, classes).
        inputs: Array (N, …).
        layers: List of names, paths or layers; None for all dense layers.
        training: Boolean, as for `Probe`.
        limit: Integer, the most weights n; the matrix has n^2 entries.
        seed: Integer, of r and s.

    Returns:
        `Curvature`.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: Another layer than a dense one has a kernel; more than `limit` weights; an input
            of a layer that is not (N, D); an output that is not (N, classes); NaN.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        sections 2 and 3, figures 1, 2, A1, A3 and A4.

    Example:

    >>> dense = keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros", name="dense")
    >>> model = keras.Sequential([keras.Input((1,)), dense])
    >>> fisher(model, np.ones((4, 1))).matrix  # of two classes of probability 1/2 each
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    logits = output_activation(model) != "softmax"
    probabilities = _probabilities(model, inputs, training, logits)
    signals, sizes = _dense_signals(model, layers, _logit_errors(logits), training, limit)
    moment = Covariance(sum(sizes.values()))
    rng, (count, classes) = np.random.default_rng(seed), probabilities.shape
    first, examples = rng.integers(classes, size=count), np.arange(count)
    for shift in range(classes):
        labels = (first + shift) % classes
        scale = rng.choice([-1.0, 1.0], count) * np.sqrt(classes * probabilities[examples, labels])
        errors = scale[:, None] * (probabilities - np.eye(classes)[labels])
        _accumulate(moment, signals(inputs, errors.astype("float32")), sizes)
    return Curvature(moment.moment, sizes)


def gradient_second_moment(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
    limit: int = LIMIT,
) -> Curvature:
    """M = 1/N sum_i g_i g_i^T, g_i the gradient of example i by its own target.

    The empirical counterpart of `fisher`: one pass, any loss.

    Args:
        model: Keras model, built.
        inputs: Array (N, …), or as many as the model takes.
        targets: Array, of N examples.
        layers: As for `fisher`.
        loss: Name or function (targets, outputs), as for `Probe`.
        training: As for `fisher`.
        limit: As for `fisher`.

    Returns:
        `Curvature`.

    Raises:
        UnknownNameError: As `fisher`.
        ZooError: As `fisher`.

    References:
        Huang et al., section 2, figure A2.

    Example:

    >>> dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="dense")
    >>> model = keras.Sequential([keras.Input((1,)), dense])
    >>> x, y = np.array([[1.0], [2.0]]), np.ones((2, 1))
    >>> gradient_second_moment(model, x, y, loss="mse").matrix  # the mean of 2^2 and 4^2
    array([[10.]])
    """
    signals, sizes = _dense_signals(model, layers, loss, training, limit)
    moment = Covariance(sum(sizes.values()))
    _accumulate(moment, signals(inputs, targets), sizes)
    return Curvature(moment.moment, sizes)


def _dense_signals(
    model: keras.Model, layers: Any, loss: Any, training: bool, limit: int
) -> tuple[LinearSignals, dict[str, int]]:
    if layers is None:
        for layer in model._flatten_layers(include_self=False):
            if kernels_of(layer) and not isinstance(layer, keras.layers.Dense):
                raise ZooError(
                    "Exact curvature is for dense nets. "
                    f"Received: layer {layer.name}, a {type(layer).__name__}"
                )
    signals = LinearSignals(
        model, layers=layers, kinds=(keras.layers.Dense,), loss=loss, training=training
    )
    sizes = {name: int(np.prod(layer.kernel.shape)) for layer, name in signals.layers.items()}
    if (n := sum(sizes.values())) > limit:
        raise ZooError(
            f"The curvature of {n} weights has {n}^2 entries; at most limit={limit} weights are "
            f"taken. Choose some layers of {list(sizes)}, or give a higher limit."
        )
    return signals, sizes


def _accumulate(
    moment: Covariance, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], sizes: Iterable[str]
) -> None:
    """Adds the examples' gradients vec(x dh^T), in small pieces."""
    for place, (x, _) in pairs.items():
        if x.ndim != 2:
            raise ZooError(f"The input of layer {place} must be (N, D). Received: {x.shape}")
    count = len(next(iter(pairs.values()))[0])
    step = max(1, _PIECE // moment.size)
    for start in range(0, count, step):
        part = slice(start, start + step)
        blocks = []
        for name in sizes:
            # Uses of a layer that is used again add up.
            used = [pairs[p] for p in pairs if p == name or p.startswith(f"{name}#")]
            blocks.append(
                sum(np.einsum("ni,no->nio", x[part], dh[part], dtype="float64") for x, dh in used)
            )
        moment.update(np.concatenate([b.reshape(len(b), -1) for b in blocks], axis=1))


def _logit_errors(logits: bool) -> Callable[[Any, Any], Any]:
    """The loss whose gradient by an example's logits is its target, if that sums up to 0."""

    def loss(errors: Any, outputs: Any) -> Any:
        if not logits:
            outputs = ops.log(ops.maximum(outputs, 1e-37))
        return ops.sum(errors * outputs, axis=-1)

    return loss


def _probabilities(model: keras.Model, inputs: Any, training: bool, logits: bool) -> np.ndarray:
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    x = keras.tree.map_structure(ops.convert_to_tensor, inputs)
    options = {"training": training} if model._call_has_training_arg else {}
    outputs, _ = model.stateless_call(trainable, others, x, **options)
    if not ops.is_tensor(outputs) or len(outputs.shape) != 2:
        shape = keras.tree.map_structure(lambda t: tuple(t.shape), outputs)
        raise ZooError(f"A classifier gives (N, classes). Received outputs of shape {shape}")
    q = np.asarray(ops.convert_to_numpy(ops.cast(outputs, "float32")), "float64")
    if logits:
        q = np.exp(q - q.max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
    return q
