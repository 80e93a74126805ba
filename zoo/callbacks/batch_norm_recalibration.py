"""New BatchNorm statistics from a set of images, for evaluation."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.repeat import without_loops
from zoo.types import Tensor


def recalibrate_batch_norm(
    model: keras.Model, inputs: Tensor, batch_size: int | None = None
) -> int:
    """Estimates the mean and variance of every BatchNormalization layer anew.

    The moving averages of training lag behind the weights, and in very deep nets the errors
    compound from layer to layer. Here the network runs forward over `inputs` with every
    BatchNormalization on the statistics of the batch (dropout and the rest as in inference), and
    those statistics become the layer's. With all inputs in one batch the result is exact: each
    layer's statistics are those of its inputs in the recalibrated network. With several batches
    they are pooled, which comes close when batches are large.

    All activations of one batch are in memory at once.

    Args:
        model: any Keras model; layers with `trainable=False` are left as they are.
        inputs: array of what the model takes (preprocessed images), (N, …).
        batch_size: int or None. Inputs per pass, None for all at once. Inputs beyond the last
            whole batch are left out.

    Returns:
        int, the number of layers recalibrated.

    Raises:
        ZooError: no array, no inputs, or non-finite statistics. The model is then as it was.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), zoo.layers.BatchNormalization()])
    >>> zoo.callbacks.recalibrate_batch_norm(model, np.array([[1.0], [3.0]]))
    1
    >>> float(model.layers[0].moving_mean[0]), float(model.layers[0].moving_variance[0])
    (2.0, 1.0)
    """
    inputs, batch_size = _checked(inputs, batch_size)
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    before = [_statistics(layer) for layer in norms]
    batch_size = min(batch_size or len(inputs), len(inputs))
    # Whole batches only: a small last one would weigh as much with far noisier statistics.
    starts = range(0, len(inputs) - batch_size + 1, batch_size)
    means: list[np.ndarray] = [np.zeros(1)] * len(norms)
    squares: list[np.ndarray] = [np.zeros(1)] * len(norms)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_no_gradients())
            stack.enter_context(without_loops())
            for layer in norms:
                stack.enter_context(_batch_statistics(layer))
            for start in starts:
                model(
                    keras.ops.convert_to_tensor(inputs[start : start + batch_size]), training=False
                )
                for i, layer in enumerate(norms):
                    mean, variance = _statistics(layer)
                    means[i] = means[i] + mean / len(starts)
                    squares[i] = squares[i] + (variance + mean**2) / len(starts)
        for layer, mean, square in zip(norms, means, squares, strict=True):
            if not (np.isfinite(mean).all() and np.isfinite(square).all()):
                raise ZooError(
                    f"The statistics of {layer.name} are not finite; nothing was changed. "
                    "Check the inputs and the weights for NaN."
                )
            _assign(layer, mean, np.maximum(square - mean**2, 0.0))
    except BaseException:
        for layer, (mean, variance) in zip(norms, before, strict=True):
            _assign(layer, mean, variance)
        raise
    return len(norms)


class BatchNormRecalibration(keras.callbacks.Callback):
    """Runs `recalibrate_batch_norm` at the end of training.

    Args:
        inputs: array of what the model takes, (N, …). Of a `tf.data.Dataset` or another iterable
            of batches, take as many pictures as are enough: the statistics of some hundred are
            those of all.
        batch_size: int or None. Inputs per pass, None for all at once (exact).

    Raises:
        ZooError: for inputs that are no array, or none; at the start of `fit`, for inputs of
            another shape than the model's.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), zoo.layers.BatchNormalization()])
    >>> model.compile("sgd", "mse")
    >>> x = np.array([[1.0], [3.0]])
    >>> _ = model.fit(x, x, verbose=0, callbacks=[zoo.callbacks.BatchNormRecalibration(x)])
    >>> float(model.layers[0].moving_mean[0])
    2.0
    """

    def __init__(self, inputs: Tensor, batch_size: int | None = None) -> None:
        super().__init__()
        self.inputs, self.batch_size = _checked(inputs, batch_size)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        expected = getattr(self.model, "input_shape", None)
        if not isinstance(expected, tuple) or not all(
            n is None or type(n) is int for n in expected
        ):
            return  # not built yet, or several inputs: the model itself will say what is wrong
        shape = tuple(self.inputs.shape)
        fits = len(shape) == len(expected) and all(
            n in (None, m) for n, m in zip(expected[1:], shape[1:], strict=True)
        )
        if not fits:
            raise ZooError(
                f"BatchNormRecalibration: inputs must be of the model's shape {expected}. "
                f"Received: {shape}"
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        recalibrate_batch_norm(self.model, self.inputs, self.batch_size)


def _checked(inputs: Any, batch_size: Any) -> tuple[Tensor, int | None]:
    if isinstance(inputs, list):
        inputs = np.asarray(inputs)
    if not hasattr(inputs, "shape") or not hasattr(inputs, "__getitem__") or not inputs.shape:
        raise ZooError(
            "Recalibration needs an array (N, …) of what the model takes, not batches of it. Of a "
            "tf.data.Dataset take one large batch, e.g. next(iter(dataset.unbatch().batch(512)))"
            f"[0]. Received: {type(inputs).__name__}"
        )
    if len(inputs) == 0:
        raise ZooError("Recalibration needs at least one input. Received none.")
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, least=1)
    return inputs, batch_size


def _statistics(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance in float64, so that pooling loses nothing."""
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(v), "float64")
        for v in (layer.moving_mean, layer.moving_variance)
    )
    return mean, variance


def _assign(layer: keras.layers.BatchNormalization, mean: np.ndarray, variance: np.ndarray) -> None:
    layer.moving_mean.assign(mean.astype("float32"))
    layer.moving_variance.assign(variance.astype("float32"))


@contextlib.contextmanager
def _batch_statistics(layer: keras.layers.BatchNormalization) -> Iterator[None]:
    """The layer normalizes by the batch, and its moving averages become the batch's."""
    momentum, call = layer.momentum, layer.call

    def by_batch(
        inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return call(inputs, True, mask)

    layer.momentum = 0.0
    object.__setattr__(layer, "call", by_batch)
    try:
        yield
    finally:
        layer.momentum = momentum
        object.__delattr__(layer, "call")


def _no_gradients() -> contextlib.AbstractContextManager[Any]:
    """PyTorch alone records operations by itself."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()
