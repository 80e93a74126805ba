"""Modulation of the errors in the backward pass.

    x, token = image, ModulationSource(["conv1", "conv2"])(image)
    x, token = Modulation(0)([conv1(x), token])
    x, token = Modulation(1)([conv2(x), token])

The token goes through the network beside the signal. Forward it tells each point the band; in the
backward pass its gradient, one row per point, tells each point the moment of the point above.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm
from zoo.layers.modulation_gradient import mean_over_replicas, with_gradient
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class ModulationSource(keras.layers.Layer):
    """The origin of a network's modulation: gives the token, holds its state.

    Off as built: errors pass unchanged until `steps_left` is set, as
    `zoo.callbacks.ModulationCallback` does at the start of training. Their moments are recorded
    in every training step all the same.

    Args:
        points: list of str. Names of the points, lowest first; `Modulation(i)` is the i-th.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: any tensor of the network, for its place in the graph; its values are not used.
        training: bool. Whether this is a training step.

    Weights:
        moments: (points, 2), the error's mean square at each point in the last step, as it
            arrived there and as it was handed down. It counts as trainable, and the optimizer
            stores it by Keras's `overwrite_with_gradient`; a loss scale multiplies it.
        steps_left: training steps until modulation ends; each step takes one off, inside the
            step itself, so that the end is exact under jit and after a resume.
        band: the limit t of the ratio rho, see `Modulation`.

    Input shape:
        Any.

    Output shape:
        (points, 2).

    Returns:
        The token, in float32.

    Raises:
        ZooError: for points that are not distinct names.

    References:
        - Xie et al., "All You Need is Beyond a Good Init", sections 3.3, 4 and 5.3.

    Example:

    >>> source = zoo.layers.ModulationSource(["conv1", "conv2"], name="source")
    >>> tuple(source(np.zeros((8, 4))).shape)
    (2, 2)
    >>> [v.path for v in source.weights]
    ['source/moments', 'source/steps_left', 'source/band']
    """

    def __init__(self, points: Sequence[str], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        names = [] if isinstance(points, str) else list(points)
        if not names or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
            raise ZooError(f"points must be distinct names, at least one. Received: {points!r}")
        self.points = [str(name) for name in names]

    def build(self, input_shape: Shape) -> None:
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

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        steps_left = ops.convert_to_tensor(self.steps_left)
        limit = ops.where(steps_left > 0, ops.convert_to_tensor(self.band), np.float32(np.inf))
        if training:
            self.steps_left.assign(ops.maximum(steps_left - 1, 0))
        return _token(ops.convert_to_tensor(self.moments), limit)

    def compute_output_spec(self, x: Tensor, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor((len(self.points), 2), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "points": self.points}

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """Nothing: the identity in inference."""
        return x


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

    The paper names no band ("mismatch"); see `zoo.callbacks.ModulationCallback`.

    Args:
        index: int, at least 0. The point's place among those of the source.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: [x, token], x of any shape, the token from the point below.
        training: bool. Whether errors are modulated and recorded.

    Input shape:
        [any, (points, 2)].

    Output shape:
        As the input.

    Returns:
        (x, token), for the layers above.

    Raises:
        ZooError: for an index that is none of the source's.

    References:
        - Xie et al., "All You Need is Beyond a Good Init", sections 3.3 and 4.

    Example:

    >>> image = keras.Input((8, 8, 3))
    >>> x, token = image, zoo.layers.ModulationSource(["conv1"])(image)
    >>> x, token = zoo.layers.Modulation(0)([keras.layers.Conv2D(4, 3)(x), token])
    >>> x.shape, token.shape
    ((None, 6, 6, 4), (1, 2))
    """

    def __init__(self, index: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.index = checks.integer("index", index, least=0)

    def build(self, input_shape: Sequence[Shape]) -> None:
        points = input_shape[1][0] or 0
        if self.index >= points:
            raise ZooError(
                f"{self.name}: index must be from 0 to {points - 1}, the source has {points} "
                f"points. Received: index={self.index}"
            )

    def call(self, inputs: Sequence[Tensor], training: bool | None = None) -> tuple[Tensor, ...]:
        x, token = inputs
        return with_gradient(x, token, self._backward) if training else (x, token)

    def compute_output_spec(
        self, inputs: Sequence[Tensor], training: bool | None = None
    ) -> tuple[keras.KerasTensor, ...]:
        return tuple(keras.KerasTensor(t.shape, dtype=t.dtype) for t in inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "index": self.index}

    def _backward(self, token: Tensor, error: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
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

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """Nothing: the identity in inference."""
        return x


@ops.custom_gradient
def _token(moments: Tensor, limit: Tensor) -> tuple[Tensor, Callable[..., Any]]:
    """`limit` everywhere, with the gradient of `moments`."""

    def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return args[0] if upstream is None else upstream, ops.zeros_like(limit)

    return ops.broadcast_to(limit, moments.shape), grad
