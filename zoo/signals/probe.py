"""One forward and one backward pass through any Keras model, read at its layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.layers.repeat import without_loops
from zoo.outputs import output_activation
from zoo.signals.differentiate import differentiate, value_here
from zoo.signals.taps import Recorder, Tap, layers_of, named_kernels

Signals = dict[str, dict[str, np.ndarray]]


class Probe:
    """Reads signals at the layers of a model: all in one forward and one backward pass.

    The model may be Functional, Sequential or subclassed, of the zoo or not; it is not changed,
    nor are its statistics, its random states or its optimizer. Signals are reduced where they
    flow: a mean square of each layer's error takes no memory beside the pass itself. The pass is
    compiled at the first call and again for other shapes.

    Gradients are those of the loss of the data, a mean over the batch; losses that layers and
    regularizers add are left out. A layer that is used n times in the graph is read n times, as
    "name", "name#2", …. The error of integers (what goes into an Embedding) is left out.

    Where a distribution keeps all variables on each of several devices, the pass runs on one of
    them, in every process that calls.

    Args:
        model: Keras model, built.
        taps: Dict, signal name -> `Tap`.
        layers: List of names, paths or layers; None for all that own a kernel. See `layers_of`.
        loss: Name, `keras.losses.Loss` or function (targets, outputs); None for the compiled
            one, or cross-entropy of integer targets where there is none. A model that gives its
            losses by name, scalars, as a detector does of inputs with objects, has their sum.
        training: Boolean, whether layers run as in training: batch normalization by the batch,
            dropout.

    Call arguments:
        inputs: Array (N, …), or as many as the model takes.
        targets: Array, the targets of the batch; may be None where no tap reads a gradient, and
            for a model that gives its losses itself.

    Returns (of a call):
        signal -> layer -> array, layers in the order of the forward pass; kernels of
        "weight_gradient" in the order of the model, "layer/variable" where a layer owns several.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: The model is not built, has no weights to differentiate by, or gives several
            outputs; a batch is empty or holds NaN; a gradient is wanted without targets.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")])
    >>> probe = Probe(model, {"size": Tap("output", lambda y: ops.sum(ops.ones_like(y)))})
    >>> float(probe(np.ones((4, 2)))["size"]["dense"])
    12.0
    """

    def __init__(
        self,
        model: keras.Model,
        taps: Mapping[str, Tap],
        *,
        layers: Sequence[str | keras.Layer] | None = None,
        loss: str | Callable | None = None,
        training: bool = True,
    ):
        self.model, self.taps, self.training = model, dict(taps), training
        self.layers = layers_of(model, layers)
        self.backward = any(tap.where.endswith("gradient") for tap in self.taps.values())
        self._loss = _loss_of(model, loss) if self.backward else None
        self._kernels = self._find_kernels()
        self._forward_keys: list[tuple[str, str]] = []
        self._run = differentiate(self._forward, self._finish)

    def __call__(self, inputs: Any, targets: Any = None) -> Signals:
        _check("inputs", inputs)
        _check("targets", targets)
        x, y = _tensors(inputs), _tensors(targets)
        trainable = [value_here(v) for v in self.model.trainable_variables]
        states = [value_here(v) for v in self.model.non_trainable_variables]
        weights = [value_here(v) for v in self._kernels.values()]
        values, done, errors, tokens = self._run(weights, trainable, states, x, y)
        signals: Signals = {name: {} for name in self.taps}
        of_weights = [
            (signal, kernel)
            for signal, tap in self.taps.items()
            if tap.where == "weight_gradient"
            for kernel in self._kernels
        ]
        for keys, results in (
            (self._forward_keys, values),
            (of_weights, done),
            (tokens, errors),
        ):
            for (signal, place), value in zip(keys, results, strict=True):
                signals[signal][place] = _array(value)
        return signals

    def _find_kernels(self) -> dict[str, keras.Variable]:
        if not any(tap.where == "weight_gradient" for tap in self.taps.values()):
            return {}
        kernels = {name: v for name, v in named_kernels(self.layers).items() if v.trainable}
        if not kernels:
            raise ZooError(f"{self.model.name} has no trainable kernel in the layers looked at.")
        return kernels

    def _forward(
        self, token: Callable, weights: list, trainable: list, states: list, x: Any, y: Any
    ) -> tuple[Any, list]:
        index = {id(v): i for i, v in enumerate(self.model.trainable_variables)}
        trainable = list(trainable)
        for variable, value in zip(self._kernels.values(), weights, strict=True):
            trainable[index[id(variable)]] = value
        recorder = Recorder(
            self.layers, self.taps, lambda signal, place, *spec: token((signal, place), *spec)
        )
        # As fit does: a model may not take the argument.
        training = {"training": self.training} if self.model._call_has_training_arg else {}
        with recorder.attached(), without_loops():
            outputs, _ = self.model.stateless_call(trainable, states, x, **training)
        read = recorder.forward
        self._forward_keys = [(signal, place) for signal in read for place in read[signal]]
        loss = self._loss_of_outputs(y, outputs) if self.backward else 0.0
        return loss, [read[signal][place] for signal, place in self._forward_keys]

    def _loss_of_outputs(self, y: Any, outputs: Any) -> Any:
        if isinstance(outputs, dict) and all(len(loss.shape) == 0 for loss in outputs.values()):
            return sum(ops.cast(loss, "float32") for loss in outputs.values())
        if not ops.is_tensor(outputs):
            raise ZooError(
                f"{self.model.name} gives several outputs; the loss must be of one: probe "
                "keras.Model(model.inputs, one_output)."
            )
        if y is None:
            raise ZooError("Gradients need targets. Received: targets=None")
        assert self._loss is not None
        return ops.mean(self._loss(y, ops.cast(outputs, "float32")))

    def _finish(self, weights: list, gradients: list) -> list:
        return [
            tap.function(weight, gradient)
            for tap in self.taps.values()
            if tap.where == "weight_gradient"
            for weight, gradient in zip(weights, gradients, strict=True)
        ]


def _loss_of(model: keras.Model, loss: Any) -> Callable:
    loss = getattr(model, "loss", None) if loss is None else loss
    if loss is None:
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=output_activation(model) != "softmax"
        )
    if not isinstance(loss, str) and not callable(loss):
        raise ZooError(f"loss must be a name or a function (targets, outputs). Received: {loss!r}")
    return keras.losses.get(loss)


def _check(what: str, values: Any) -> None:
    leaves = [x for x in keras.tree.flatten(values) if x is not None]
    if any(not hasattr(x, "shape") or not len(x.shape) for x in leaves):
        raise ZooError(
            f"The {what} must be arrays, examples first; a list is one of several inputs. "
            f"Received: {type(values).__name__} of numbers. Use numpy.asarray."
        )
    if any(len(x) == 0 for x in leaves) or (what == "inputs" and not leaves):
        raise ZooError("A probe needs at least one example. Received none.")
    for x in map(_array, leaves):
        if x.dtype.kind == "f" and not (finite := np.isfinite(x)).all():
            example = int(np.argwhere(~finite)[0][0])
            raise ZooError(f"The {what} are not finite: example {example} of the batch is not.")


def _tensors(values: Any) -> Any:
    return keras.tree.map_structure(
        lambda v: None if v is None else ops.convert_to_tensor(v), values
    )


def _array(value: Any) -> np.ndarray:
    dtype = keras.backend.standardize_dtype(value.dtype)
    if dtype == "bfloat16":
        value = ops.cast(value, "float32")
    return np.asarray(ops.convert_to_numpy(value))
