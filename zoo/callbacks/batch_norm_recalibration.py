"""New BatchNorm statistics from a set of images, for evaluation."""

import contextlib

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.layers.repeat import without_loops


def recalibrate_batch_norm(model: keras.Model, inputs, batch_size: int | None = None) -> int:
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
        batch_size: inputs per pass, None for all at once.

    Returns:
        The number of layers recalibrated.

    Raises:
        ValueError: no inputs, or non-finite statistics. The model is then as it was.
    """
    if len(inputs) == 0:
        raise ZooError("recalibrate_batch_norm needs at least one input. Received none.")
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    before = [_statistics(layer) for layer in norms]
    batch_size = min(batch_size or len(inputs), len(inputs))
    # Whole batches only: a small last one would weigh as much with far noisier statistics.
    starts = range(0, len(inputs) - batch_size + 1, batch_size)
    means, squares = [0.0] * len(norms), [0.0] * len(norms)
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
                    means[i] += mean / len(starts)
                    squares[i] += (variance + mean**2) / len(starts)
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
        inputs: array of what the model takes, (N, …).
        batch_size: inputs per pass, None for all at once (exact).
    """

    def __init__(self, inputs, batch_size: int | None = None):
        super().__init__()
        self.inputs, self.batch_size = inputs, batch_size

    def on_train_end(self, logs=None):
        recalibrate_batch_norm(self.model, self.inputs, self.batch_size)


def _statistics(layer):
    """Mean and variance in float64, so that pooling loses nothing."""
    return tuple(
        np.asarray(keras.ops.convert_to_numpy(v), "float64")
        for v in (layer.moving_mean, layer.moving_variance)
    )


def _assign(layer, mean, variance):
    layer.moving_mean.assign(mean.astype("float32"))
    layer.moving_variance.assign(variance.astype("float32"))


@contextlib.contextmanager
def _batch_statistics(layer):
    """The layer normalizes by the batch, and its moving averages become the batch's."""
    momentum, call = layer.momentum, layer.call
    layer.momentum = 0.0
    object.__setattr__(
        layer, "call", lambda inputs, training=None, mask=None: call(inputs, True, mask)
    )
    try:
        yield
    finally:
        layer.momentum = momentum
        object.__delattr__(layer, "call")


def _no_gradients():
    """Only PyTorch records operations unless told not to."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()
