"""The last linear layer, where very deep residual nets get stuck."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.signals.linear import LinearSignals, linear_layers, pairs_of
from zoo.signals.theory.arrays import kernel_matrix
from zoo.signals.theory.matrices import spectral_norm
from zoo.signals.theory.spectrum import largest_eigenvalue


@dataclasses.dataclass(frozen=True)
class LastLayer:
    """The results of `last_layer_analysis`.

    Attributes:
        layer: String, its name.
        input_lambda_max: Largest eigenvalue of E[x x^T].
        gradient_lambda_max: Largest eigenvalue of E[g g^T], g = vec(dl/dW) of one example.
        weight_norm: Frobenius norm of W.
        weight_spectral_norm: Largest singular value of W.
    """

    layer: str
    input_lambda_max: float
    gradient_lambda_max: float
    weight_norm: float
    weight_spectral_norm: float


def last_layer_analysis(
    model: keras.Model | LinearSignals,
    batches: Iterable[tuple[Any, Any]],
    *,
    layer: str | keras.Layer | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> LastLayer:
    """Magnitudes of the input, the weight gradient and the weight of the last dense layer.

        lambda_max(E[x x^T]),    lambda_max(E[vec(x dh^T) vec(x dh^T)^T]),    ||W||

    A large input and gradient followed by a large weight and a vanishing input is the state in
    which the paper finds very deep residual nets: they guess. The second moment of the gradient,
    (D_in D_out) x (D_in D_out), is never formed; its products with vectors are, from x and dh:
    N (D_in + D_out) numbers in memory.

    The paper's figure writes ||W||_2 and calls it the F2-norm, which may be either; both are
    returned. The bias is no part of W.

    Args:
        model: Keras model, built; or `LinearSignals` of its one layer, compiled once for many
            calls.
        batches: Iterable of pairs (inputs, targets).
        layer: Name, path or layer; None for the last dense layer that the model owns.
        loss: Name or function (targets, outputs); as for `Probe`.
        training: Boolean, as for `Probe`.

    Returns:
        `LastLayer`.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: The layer is not dense, is used twice, or its input is not (N, D); no batches;
            and what `Probe` raises.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        section 5, figures 6, 7 and 9.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> head = last_layer_analysis(model, [(x, np.ones((2, 1)))], loss="mse")
    >>> round(head.input_lambda_max, 6)
    2.0
    """
    dense = (keras.layers.Dense,)
    signals = model
    if not isinstance(signals, LinearSignals):
        if layer is None:
            layer = list(linear_layers(model, kinds=dense))[-1]
        signals = LinearSignals(model, layers=[layer], kinds=dense, loss=loss, training=training)
    head, name = next(iter(signals.layers.items()))
    xs, gradients = [], []
    for batch in pairs_of(batches):
        pairs = signals(*batch)
        if len(pairs) != 1 or name not in pairs or pairs[name][0].ndim != 2:
            raise ZooError(
                f"Layer {name} must be used once, on inputs (N, D). "
                f"Received: {[x.shape for x, _ in pairs.values()]}"
            )
        xs.append(pairs[name][0])
        gradients.append(pairs[name][1])
    x, dh = np.concatenate(xs).astype("float64"), np.concatenate(gradients).astype("float64")
    (n, inputs), outputs = x.shape, dh.shape[1]

    def of_gradients(v: np.ndarray) -> np.ndarray:
        along = np.einsum("no,no->n", x @ v.reshape(inputs, outputs), dh)
        return (x.T @ (along[:, None] * dh)).ravel() / n

    return LastLayer(
        layer=name,
        input_lambda_max=largest_eigenvalue(lambda v: x.T @ (x @ v) / n, inputs),
        gradient_lambda_max=largest_eigenvalue(of_gradients, inputs * outputs),
        weight_norm=float(np.linalg.norm(kernel_matrix(head.kernel))),
        weight_spectral_norm=spectral_norm(head.kernel),
    )
