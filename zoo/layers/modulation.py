"""Modulation of the errors in the backward pass.

    x, token = image, ModulationSource(["conv1", "conv2"])(image)
    x, token = Modulation(0)([conv1(x), token])
    x, token = Modulation(1)([conv2(x), token])

The token goes through the network beside the signal. Forward it tells each point the band; in the
backward pass its gradient, one row per point, tells each point the moment of the point above.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.layers.modulation_gradient import mean_over_replicas, with_gradient


@keras.saving.register_keras_serializable("zoo")
class ModulationSource(keras.layers.Layer):
    """The origin of a network's modulation: gives the token, holds its state.

    Off as built: errors pass unchanged until `steps_left` is set, as
    `zoo.callbacks.ModulationCallback` does at the start of training. Their moments are recorded
    in every training step all the same.

    Weights:
        moments: (points, 2), the error's mean square at each point in the last step, as it
            arrived there and as it was handed down. It counts as trainable, and the optimizer
            stores it by Keras's `overwrite_with_gradient`; a loss scale multiplies it.
        steps_left: training steps until modulation ends; each step takes one off, inside the
            step itself, so that the end is exact under jit and after a resume.
        band: the limit t of the ratio rho, see `Modulation`.

    Args:
        points: names of the points, lowest first; `Modulation(i)` is the i-th.

    Call arguments:
        x: any tensor of the network, for its place in the graph; its values are not used.
        training: whether this is a training step.

    Returns:
        The token, (points, 2) in float32.

    Raises:
        ValueError: for points that are not distinct names.

    Source: Xie et al., "All You Need is Beyond a Good Init", sections 3.3, 4 and 5.3.
    """

    def __init__(self, points: Sequence[str], **kwargs):
        super().__init__(autocast=False, **kwargs)
        names = [] if isinstance(points, str) else list(points)
        if not names or len(set(names)) < len(names) or {type(n) for n in names} != {str}:
            raise ZooError(f"points must be distinct names, at least one. Received: {points!r}")
        self.points = names

    def build(self, input_shape):
        self.moments = self.add_weight(
            name="moments",
            shape=(len(self.points), 2),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            # Equal on all replicas: see `mean_over_replicas`.
            aggregation="only_first_replica",
            overwrite_with_gradient=True,
        )
        self.steps_left = self.add_weight(
            name="steps_left",
            initializer="zeros",
            dtype="float32",  # TensorFlow keeps int32 variables off the GPU
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )
        self.band = self.add_weight(
            name="band", initializer="ones", dtype="float32", trainable=False, autocast=False
        )

    def call(self, x, training=None):
        steps_left = ops.convert_to_tensor(self.steps_left)
        limit = ops.where(steps_left > 0, ops.convert_to_tensor(self.band), np.float32(np.inf))
        if training:
            self.steps_left.assign(ops.maximum(steps_left - 1, 0))
        return _token(ops.convert_to_tensor(self.moments), limit)

    def compute_output_spec(self, x, training=None):
        return keras.KerasTensor((len(self.points), 2), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "points": self.points}


@keras.saving.register_keras_serializable("zoo")
class Modulation(keras.layers.Layer):
    """Identity that rescales the error (the gradient of its output) to the one of the point above.

        q_l = mean of error^2,  rho = sqrt(q_{l+1} / q_l),  error <- rho * error

    Only where rho is outside [1/t, t], t the band of the source, and only while the source has
    steps left; otherwise errors pass bit by bit, and always so at the highest point, the
    reference. q_{l+1} is the moment that point l+1 handed down. Moments are taken in float32 over
    the batch (the global one under data parallelism), all positions and channels. A rho that is
    0, infinite or undefined is not applied: zero errors stay zero, non-finite ones non-finite.

    In inference (`training` not true) the layer is nothing but the identity.

    Args:
        index: the point's place among those of the source.

    Call arguments:
        inputs: [x, token], x of any shape, the token from the point below.
        training: whether errors are modulated and recorded.

    Returns:
        (x, token), for the layers above.

    Raises:
        ValueError: for an index that is none of the source's.

    Source: Xie et al., "All You Need is Beyond a Good Init", sections 3.3 and 4. The paper names
    no band ("mismatch"); see `zoo.callbacks.ModulationCallback`.
    """

    def __init__(self, index: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.index = index

    def build(self, input_shape):
        points = input_shape[1][0]
        if not 0 <= self.index < points:
            raise ZooError(
                f"{self.name}: index must be from 0 to {points - 1}, the source has {points} "
                f"points. Received: index={self.index}"
            )

    def call(self, inputs, training=None):
        x, token = inputs
        return with_gradient(x, token, self._backward) if training else (x, token)

    def compute_output_spec(self, inputs, training=None):
        return tuple(keras.KerasTensor(t.shape, dtype=t.dtype) for t in inputs)

    def get_config(self):
        return {**super().get_config(), "index": self.index}

    def _backward(self, token, error, moments):
        """Gradients of x and the token, from those of the outputs."""
        arrived = mean_over_replicas(ops.mean(ops.square(ops.cast(error, "float32"))))
        square = ops.ones_like(arrived)  # of rho
        if self.index + 1 < moments.shape[0]:
            limit = ops.square(token[0, 0])
            above = ops.slice(moments, (self.index + 1, 1), (1, 1))[0, 0]
            ratio = above / arrived
            outside = ((ratio > limit) & (ratio < np.inf)) | ((ratio < 1 / limit) & (ratio > 0))
            square = ops.where(outside, ratio, square)
        own = ops.stack([arrived, arrived * square])[None]
        moments = ops.slice_update(moments, (self.index, 0), own)
        return ops.cast(ops.multiply(error, ops.sqrt(square)), error.dtype), moments


@ops.custom_gradient
def _token(moments, limit):
    """`limit` everywhere, with the gradient of `moments`."""

    def grad(*args, upstream=None):
        return args[0] if upstream is None else upstream, ops.zeros_like(limit)

    return ops.broadcast_to(limit, moments.shape), grad
