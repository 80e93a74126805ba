"""Signals of the layers during training."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import checks
from zoo.callbacks.probe_costs import ProbeCosts
from zoo.callbacks.processes import is_first
from zoo.callbacks.signal_log import EventFile, SignalFile
from zoo.errors import UnknownNameError, ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, gradient_norm, mean_square
from zoo.types import Tensor


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(ops.cast(x, "float32"))))


SIGNALS: dict[str, Tap] = {
    "gradient/norm": Tap("weight_gradient", gradient_norm),
    "gradient/relative": Tap("weight_gradient", lambda w, g: _norm(g) / _norm(w)),
    "weight/norm": Tap("weight_gradient", lambda w, g: _norm(w)),
    "error/moment": Tap("output_gradient", mean_square),
    "output/moment": Tap("output", mean_square),
    "output/mean": Tap("output", lambda z: ops.mean(ops.cast(z, "float32"))),
    "output/positive": Tap("output", lambda z: ops.mean(ops.cast(z > 0, "float32"))),
}


class SignalMonitor(keras.callbacks.Callback):
    """Probes a fixed small batch every so many training steps, and logs what its layers say.

    The keys are `signal/statistic/LAYER`, LAYER as `zoo.signals.layers_of` names it:

        gradient/norm      ||dl/dW||, the Euclidean norm of a kernel's gradient
        gradient/relative  ||dl/dW|| / ||W||
        weight/norm        ||W||
        error/moment       mean of (dl/dz)^2 over the batch, z the layer's output
        output/moment      mean of z^2
        output/mean        mean of z
        output/positive    share of z > 0: of ReLU layers, to be named in `layers`, the active ones

    They go to `folder/signals.csv` in rows (step, key, value). Steps are those of `fit`, counted
    on from the optimizer's iterations, so that a resumed training goes on where it was: rows of
    steps that it takes again, and half a row that a crash has left, give way to the new ones. A
    training that begins at step 0 begins a new file. Probes come before the first step and after
    every `every`-th. `logs` of an epoch get the smallest and the largest value over the layers in
    the last probe, as `signal/statistic/min` and `…/max`. What is not finite is logged as it is.

    A probe is one forward and one backward pass of the batch as in training, without regularizers;
    nothing in the model changes. After the second one (the first one compiles) its cost is
    printed. Where probes take more than `budget` of the time of the training steps, the period is
    stretched to the multiple of `every` that keeps the share below, and this is printed, once.

    Of several devices, one probes the whole batch, in each process; the weights are the same on
    all, and so are the values. Process 0 writes them. Files that cannot be written stop no
    training.

    Args:
        inputs: arrays (N, …), as the model of `fit` takes them; N = 32 is plenty.
        targets: arrays of the inputs' targets.
        signals: list of str, keys of the table above, or dict of keys "signal/statistic" and
            `zoo.signals.Tap`s that give scalars.
        every: int, at least 1. Training steps between two probes.
        layers: list of names, paths or layers; None for all that own a kernel.
        folder: str, path or None. Where `signals.csv` goes; None to keep the values in `history`
            alone.
        tensorboard: bool. Whether to write event files to `folder`, too.
        budget: float or None. The greatest share of the training steps' time, within (0, 1]; None
            for any, so that a resumed training probes at the same steps, whatever the machine.

    Attributes:
        history: dict, step -> {key: value}; of a resumed training, with what the file holds.
        period: int. Steps between two probes now, `every` or a multiple of it.

    Raises:
        UnknownNameError: no such signal; in `fit`, no such layer.
        ZooError: a value out of range; in `fit`, what `zoo.signals.Probe` raises.

    References: the papers' curves over training steps.
        - Xie et al., "All You Need is Beyond a Good Init", figure 4.
        - Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of
          DNNs", figures 6, 7 and A10.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="dense")])
    >>> model.set_weights([np.array([[3.0], [4.0]]), np.zeros(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> monitor = zoo.callbacks.SignalMonitor(x, y, ["weight/norm"], every=100)
    >>> _ = model.fit(x, y, verbose=0, callbacks=[monitor])
    >>> monitor.history[0]  # before the first step
    {'weight/norm/dense': 5.0}
    """

    _begun: bool
    _timed: bool

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        signals: Sequence[str] | Mapping[str, Tap] = ("gradient/norm", "error/moment"),
        *,
        every: int = 100,
        layers: Sequence[str | keras.Layer] | None = None,
        folder: str | os.PathLike | None = None,
        tensorboard: bool = False,
        budget: float | None = 0.05,
    ) -> None:
        super().__init__()
        every = checks.integer("every", every, least=1)
        if budget is not None:
            allowed = "a share within (0, 1], or None"
            budget = checks.number("budget", budget, allowed, lambda x: 0 < x <= 1)
        if tensorboard and folder is None:
            raise ZooError("tensorboard=True needs a folder. Received: folder=None")
        self.inputs, self.targets, self.layers = inputs, targets, layers
        self.taps = _taps(signals)
        self.every = self.period = every
        self.folder = None if folder is None else Path(folder)
        self.tensorboard, self.budget = tensorboard, budget
        self.history: dict[int, dict[str, float]] = {}
        self._clock = time.perf_counter
        self._probe: Probe | None = None
        self._costs = ProbeCosts()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._since = self._clock()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first = batch
        if not self._begun:
            # Not in `on_train_begin`, where other callbacks restore weights and optimizer.
            self._begin()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # With `steps_per_execution`, one call is for several batches.
        steps = batch - self._first + 1
        self.step += steps
        due = self.step // self.period > (self.step - steps) // self.period
        if due:
            _iterations(self.model)  # waits for steps still running, which are no cost of a probe
        now = self._clock()
        if self._timed:
            self._costs.trained(now - self._since, steps)
        self._timed = True
        if due:
            self._measure()
            now = self._clock()
        # Evaluations and what else comes between two epochs are not counted.
        self._since = now

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None or not self.history:
            return
        last = self.history[max(self.history)]
        for signal in self.taps:
            values = [value for key, value in last.items() if key.startswith(f"{signal}/")]
            if values:  # the file of a resumed training may hold others
                logs[f"{signal}/min"] = float(np.min(values))
                logs[f"{signal}/max"] = float(np.max(values))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._begun and self._events:
            self._events.close()

    def _begin(self) -> None:
        """Before the first step of a `fit`."""
        self.step = _iterations(self.model)
        first = self._probe is None or self._probe.model is not self.model
        if first:
            self._probe = Probe(self.model, self.taps, layers=self.layers)
            self._costs = ProbeCosts()
        again = first or self.step < max(self.history, default=0)
        self.history = {step: v for step, v in self.history.items() if 0 < step <= self.step}
        folder = self.folder if is_first(self.model) else None
        self._file = SignalFile(folder) if folder else None
        self._events = EventFile(folder) if folder and self.tensorboard else None
        if again and self._file:
            self.history = self._file.begin(self.step)
        if self.step == 0:
            self._measure()
        self._begun = True
        self._timed = False  # the first step compiles
        self._since = self._clock()

    def _measure(self) -> None:
        assert self._probe
        began = self._clock()
        values = {
            f"{signal}/{layer}": _scalar(signal, layer, value)
            for signal, layers in self._probe(self.inputs, self.targets).items()
            for layer, value in layers.items()
        }
        self.history[self.step] = values
        for file in (self._file, self._events):
            try:
                if file:
                    file.add(self.step, values)
            except OSError as error:
                _tell(f"step {self.step} could not be written: {error}. Going on")
        self._costs.probed(self._clock() - began)
        self.period = self.every * self._costs.stretch(self.every, self.budget)
        if text := self._costs.news(self.every, self.period, self.budget):
            _tell(text)


def _taps(signals: Any) -> dict[str, Tap]:
    if isinstance(signals, str) or not signals:
        raise ZooError(f"signals must be a list of names, at least one. Received: {signals!r}")
    if not isinstance(signals, Mapping):
        for name in signals:
            if name not in SIGNALS:
                raise UnknownNameError("signal", name, SIGNALS)
        return {name: SIGNALS[name] for name in signals}
    for name, tap in signals.items():
        if name.count("/") != 1 or not isinstance(tap, Tap):
            raise ZooError(
                'Signals of your own are a mapping "signal/statistic" -> zoo.signals.Tap. '
                f"Received: {name!r}: {tap!r}"
            )
    return dict(signals)


def _scalar(signal: str, layer: str, value: np.ndarray) -> float:
    if value.size != 1:
        raise ZooError(
            f"{signal} gives an array of shape {value.shape} at {layer}; a monitor logs scalars."
        )
    return float(value.reshape(()))


def _iterations(model: keras.Model) -> int:
    """Training steps of the optimizer so far; those that were started are finished then."""
    if keras.backend.backend() == "jax":
        # Within `fit`, the weights are held by the training loop.
        model.jax_state_sync()
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None:
        return 0
    # Of accumulated gradients, `iterations` are several training steps each.
    return int(ops.convert_to_numpy(optimizer._iterations))


def _tell(text: str) -> None:
    print(f"SignalMonitor: {text}.", file=sys.stderr, flush=True)
