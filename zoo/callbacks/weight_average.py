"""The moving average of all weights, BatchNorm statistics among them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import checks
from zoo.callbacks import blend
from zoo.errors import ZooError
from zoo.types import Shape, Tensor


class WeightAverage(keras.callbacks.Callback):
    """average <- d * average + (1 - d) * weights, after every training batch.

    All float weights are averaged, in float32, moving statistics of BatchNormalization too: those
    of the last step belong to the last weights. (The `use_ema` of Keras's optimizers averages
    trainable weights alone.) Averaged weights shift the statistics of the activations all the
    same; in very deep nets run `recalibrate_batch_norm` on the averaged model.

    The n-th update, from 0, takes d = min(decay ** every, (1 + n) / (10 + n)). Thus the first
    weights, which the average begins with, are forgotten at any length of training: with a
    constant 0.999, a training of 500 batches would keep 61% of them.

    The average belongs to the callback, not to one `fit`: it goes on where it was in the next.
    The same callback with the same `variables` goes on exactly, in another process too.

    Args:
        decay: float d per training batch, in (0, 1).
        every: int, at least 1. Batches between two updates. On JAX, where reading the weights
            interrupts the stream of steps, and for small models 16 is cheaper and hardly coarser.
        apply_at_end: bool. Whether the average becomes the model's weights at the end of `fit`;
            otherwise `swap` lends them.

    Attributes:
        variables: list of `keras.Variable`. The state of the average, to be saved and restored
            between two calls of `fit`.

    Raises:
        ZooError: for a value out of range; for `variables`, `swap` and `apply` without a built
            model.

    References:
        - Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", section 8,
          which evaluates a running average of the weights.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.set_weights([np.array([[0.0]])])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> average = zoo.callbacks.WeightAverage(0.5, apply_at_end=False)
    >>> _ = model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0, callbacks=[average])
    >>> with average.swap():  # 0.1 of the weight before the step, 0.9 of the one after it
    ...     print(f"{float(model.layers[0].kernel[0, 0]):.2f}")
    0.90
    >>> float(model.layers[0].kernel[0, 0])
    1.0
    """

    def __init__(self, decay: float = 0.999, every: int = 1, apply_at_end: bool = True) -> None:
        super().__init__()
        self.decay = checks.number("decay", decay, "a number in (0, 1)", lambda x: 0 < x < 1)
        self.every = checks.integer("every", every, least=1)
        self.apply_at_end = bool(apply_at_end)
        self._averages: list[keras.Variable] = []

    def set_model(self, model: keras.Model) -> None:
        if model is not self.model:
            self._averages = []
        super().set_model(model)

    @property
    def variables(self) -> list[keras.Variable]:
        """The averages in the order of the model's float weights, then the counts of updates and
        of batches since the last one."""
        if not self._averages:
            self._build()
        return [*self._averages, self._counts]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        counts = self.variables[-1]
        self._updates, self._since = (int(n) for n in ops.convert_to_numpy(counts.value))
        if not self._updates and not self._since:
            self._sync()
            for average, weight in zip(self._averages, self._weights, strict=True):
                average.assign(_copy(weight))

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # With `steps_per_execution`, one call is for several batches.
        self._since += batch - self._first + 1
        if self._since >= self.every:
            n = self._updates
            self._sync()
            self._blend(1 - min(self.decay**self._since, (1 + n) / (10 + n)))
            self._updates, self._since = n + 1, 0
        self._counts.assign(np.array([self._updates, self._since], "int32"))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.apply_at_end:
            self.apply()

    def apply(self) -> None:
        """Puts the average into the model."""
        *averages, _ = self.variables
        self._sync()
        for average, weight in zip(averages, self._weights, strict=True):
            weight.assign(_copy(average))

    @contextlib.contextmanager
    def swap(self) -> Iterator[None]:
        """Context in which the model has the average; then its own weights, bit for bit."""
        _ = self.variables  # made here at the latest
        self._sync()
        own = [ops.copy(ops.stop_gradient(weight.value)) for weight in self._weights]
        self.apply()
        try:
            yield
        finally:
            self._sync()
            for weight, value in zip(self._weights, own, strict=True):
                weight.assign(value)

    def _build(self) -> None:
        if self.model is None or not self.model.built:
            raise ZooError(
                "WeightAverage needs a built model. Give it to `fit` as a callback, or call "
                "set_model(model) with a model that is built. "
                f"Received: model={getattr(self.model, 'name', None)!r}"
            )
        self._weights = [v for v in self.model.weights if "float" in v.dtype]
        # Of TensorFlow's trainer; variables of a strategy have a copy on each of its devices.
        strategy = getattr(self.model, "distribute_strategy", None)
        with strategy.scope() if strategy else contextlib.nullcontext():
            self._counts = _variable((2,), "int32", "counts")
            self._averages = [
                _variable(v.shape, "float32", v.path.replace("/", "_")) for v in self._weights
            ]
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(_copy(weight))

        self._blend = blend.compiled(self._averages, self._weights)

    def _sync(self) -> None:
        # Within `fit`, the weights of JAX are held by the training loop.
        if keras.backend.backend() == "jax" and self.model is not None:
            self.model.jax_state_sync()


def _variable(shape: Shape, dtype: str, name: str) -> keras.Variable:
    return keras.Variable("zeros", shape=shape, dtype=dtype, trainable=False, name=name)


def _copy(variable: keras.Variable) -> Tensor:
    """A copy: JAX gives the memory of a model's own arrays away in the next step."""
    return ops.copy(ops.stop_gradient(variable.value))
