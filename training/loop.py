"""The epochs of a training: `fit` one at a time, states in between, and what can go wrong."""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keras

from training import state
from training.diverged import report
from training.log import write_log
from training.state import Position

DIVERGED = 1e4  # nats; guessing among 1000 classes costs 7


class Diverged(Exception):
    """The loss is not finite any more, or enormous."""


class Stopped(Exception):
    """SIGTERM came; the state is saved."""


def train(
    trainer: keras.Model,
    run: Path,
    position: Position,
    metrics: dict,
    *,
    epochs: int,
    steps: int,
    data: Callable,
    validate: Callable[[int], dict],
    batch_size: int,
    callbacks: list,
    average=None,
    chief: bool = True,
    metrics_too: bool = True,
    minutes: float = 15,
    tensorboard: bool = False,
    sample: Callable[[int, int], tuple] | None = None,
) -> list[dict]:
    """Trains from `position` to the end; returns the history.

    Args:
        trainer: compiled model.
        run: folder of the states and logs, written if `chief`.
        position, metrics: from `training.state.restore_state`.
        epochs, steps: passes, and steps of `fit` in each.
        data: (epoch, first step) -> what `fit` takes.
        validate: finished epochs -> figures of other images, by their names in the log, or {}.
        batch_size: images of a step, for the log.
        callbacks: Keras's, for `fit`.
        average: a `zoo.callbacks.WeightAverage` among `callbacks`, whose variables are state.
        chief: whether this process writes.
        metrics_too: whether a state within an epoch has its metrics. Without them, the log's
            training figures of a resumed epoch are those of its rest.
        minutes: between states within an epoch.
        tensorboard: whether to write its event files, too.
        sample: (epoch, step) -> the batch of that step, for the report of a divergence; None
            where the model cannot be probed by one process.

    Raises:
        Diverged: the last good state is on disk, and a report in `run/diverged`.
        Stopped: the state is on disk.
    """
    history = list(position.history)
    guard = Guard(
        run,
        position,
        metrics,
        average,
        steps=steps,
        chief=chief,
        metrics_too=metrics_too,
        minutes=minutes,
        sample=sample,
    )
    with _on_sigterm(guard.stop if chief else lambda: None):
        for epoch in range(position.epoch, epochs):
            first = guard.begin(epoch, history)
            # One epoch per call: it begins and ends where we say, also after a resume within it.
            figures = trainer.fit(
                data(epoch, first),
                steps_per_epoch=steps - first,
                initial_epoch=epoch,
                epochs=epochs,
                shuffle=False,  # the pipeline does, by seed and epoch
                callbacks=[*callbacks, guard],
                verbose=(1 if sys.stdout.isatty() else 2) if chief else 0,
            ).history
            row = {"epoch": epoch + 1, "learning_rate": _rate(trainer.optimizer)}
            row |= {"seconds": round(guard.seconds(), 2)}
            row |= {key: float(values[-1]) for key, values in figures.items()}
            row["images_per_second"] = round(batch_size * steps / guard.seconds())
            guard.check(row)
            row |= {key: float(value) for key, value in validate(epoch + 1).items()}
            history.append(row)
            if chief:
                _attempt("the log", lambda: write_log(run, history, tensorboard=tensorboard))
                guard.save(Position(epoch + 1, 0, 0.0, history))
                guard.end_if_asked()
    if chief and epochs > position.epoch and not guard.saved:
        raise OSError(f"{run}: the last state could not be written")
    return history


class Guard(keras.callbacks.Callback):
    """Ends a `fit` after its epoch; saves states within it, by the clock and on SIGTERM; stops
    when the loss is not finite."""

    def __init__(
        self, run, position, metrics, average, *, steps, chief, metrics_too, minutes, sample
    ):
        super().__init__()
        self.run, self.position, self.metrics = run, position, metrics
        self.more = average.variables if average else []
        self.steps, self.chief, self.minutes = steps, chief, minutes
        self.metrics_too, self.sample = metrics_too, sample
        self.stopping = self.saved = False

    def begin(self, epoch: int, history: list[dict]) -> int:
        """Before `fit`; returns the first step of the epoch."""
        resumed = self.position if self.position.epoch == epoch else Position()
        self.epoch, self.history = epoch, history
        self.first = self.done = resumed.step
        self.before = resumed.seconds
        self.began = self.last_save = time.perf_counter()
        return self.first

    def seconds(self) -> float:
        """Of this epoch, from its beginning on, over all resumes."""
        return self.before + time.perf_counter() - self.began

    def stop(self) -> None:
        """Asks for a state and an end after the step that is running."""
        self.stopping = True

    def end_if_asked(self) -> None:
        """Raises `Stopped` after SIGTERM."""
        if self.stopping:
            raise Stopped(f"after step {self.done} of epoch {self.epoch + 1}")

    def on_epoch_begin(self, epoch, logs=None):
        self.began = self.last_save = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.metrics:
            state.add_metrics(self.model, self.metrics)
            self.metrics = {}
        self.check(logs or {})
        if self.done == self.steps:
            return  # the epoch's own state follows
        due = time.perf_counter() - self.last_save > 60 * self.minutes
        if self.chief and (due or self.stopping):
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()
            self.save(Position(self.epoch, self.done, self.seconds(), self.history))
            self.last_save = time.perf_counter()
        self.end_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True

    def check(self, logs: dict) -> None:
        """Raises `Diverged`, with a report, for a loss that no training comes back from."""
        loss, nats = float(logs.get("loss", 0)), float(logs.get("cross_entropy", 0))
        if math.isfinite(loss) and nats < DIVERGED:
            return
        message = f"the loss is {loss:.4g} after step {self.done} of epoch {self.epoch + 1}"
        if self.chief:
            batch = self.sample(self.epoch, self.done - 1) if self.sample else None
            report(self.run, self.model, message, self.more, batch)
        raise Diverged(message)

    def save(self, position: Position) -> None:
        """A state that cannot be written costs nothing older, and the next one is tried again."""
        self.saved = _attempt(
            "the state",
            lambda: state.save_state(
                self.run, self.model, position, self.more, metrics=self.metrics_too
            ),
        )


def _rate(optimizer) -> float:
    rate = optimizer.learning_rate
    return float(rate.numpy() if isinstance(rate, keras.Variable) else rate)


def _attempt(what: str, write: Callable[[], None]) -> bool:
    try:
        write()
    except OSError as error:
        print(f"Could not write {what}: {error}. Going on.", file=sys.stderr, flush=True)
        return False
    return True


class _on_sigterm:
    def __init__(self, act: Callable[[], None]):
        self.act = act

    def __enter__(self):
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGTERM, lambda *_: self.act())

    def __exit__(self, *_):
        if self.main:
            signal.signal(signal.SIGTERM, self.before)
