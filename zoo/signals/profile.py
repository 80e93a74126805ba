"""Gradients and errors along the depth of a network."""

from collections.abc import Callable, Sequence

import keras

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, gradient_norm, mean_square

Layers = Sequence[str | keras.Layer] | None


def gradient_norms(
    model: keras.Model,
    inputs,
    targets,
    *,
    layers: Layers = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """||dl/dW_k|| of every kernel: Euclidean norms, of the loss of the data.

    Where they grow towards the input, gradients explode. Norms of kernels of different shapes
    differ for that alone: see `error_moments`.

    Args:
        model: built.
        inputs: (N, …) batch.
        targets: of the batch.
        layers, loss, training: see `zoo.signals.Probe`.

    Returns:
        Name -> norm, in the order of the model.

    Raises:
        ZooError: as `zoo.signals.Probe`.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figures 1, 4 and 10.

    Example:

    >>> growth_per_layer(gradient_norms(model, images, labels))
    1.21…
    """
    taps = {"gradient": Tap("weight_gradient", gradient_norm)}
    probe = Probe(model, taps, layers=layers, loss=loss, training=training)
    return _floats(probe(inputs, targets)["gradient"])


def error_moments(
    model: keras.Model,
    inputs,
    targets,
    *,
    at: str = "output",
    layers: Layers = None,
    loss: str | Callable | None = None,
    training: bool = True,
) -> dict[str, float]:
    """Second moments of the errors: q_l = mean of (dl/dz_l)^2 over batch, positions, channels.

    z_l is the output of layer l, where the error enters it on its way down; or its input, where
    the error leaves it. `zoo.layers.Modulation` reads the errors between two layers: the q of its
    point l is that of layer l + 1 with at="input".

    Args:
        model: built.
        inputs: (N, …) batch.
        targets: of the batch.
        at: "output" or "input" of each layer.
        layers, loss, training: see `zoo.signals.Probe`.

    Returns:
        Name -> q, in the order of the forward pass.

    Raises:
        ZooError: for another `at`; as `zoo.signals.Probe`.

    Source: Xie et al., "All You Need is Beyond a Good Init", sections 4 and 5.2, figures 3 and 4,
        which call the error at a layer's output its "input error".
    """
    if at not in ("input", "output"):
        raise ZooError(f"at must be 'input' or 'output'. Received: {at!r}")
    taps = {"q": Tap(f"{at}_gradient", mean_square)}
    probe = Probe(model, taps, layers=layers, loss=loss, training=training)
    return _floats(probe(inputs, targets)["q"])


def _floats(values) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
