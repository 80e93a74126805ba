"""What watches over the epochs of a run: states within them, SIGTERM, divergence."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import keras

from training.diverged import DivergenceCheck
from training.state import Position, RunState


class Stopped(Exception):
    """SIGTERM came; the state is saved."""


class RunGuard(keras.callbacks.Callback):
    """Ends a `fit` after its epoch; saves states within it, by the clock and on SIGTERM; stops
    when the loss is not finite.

    Args:
        state: of the run.
        position: where it is.
        steps: training steps of an epoch.
        divergence: looks at the losses.
        chief: whether this process saves.
        minutes: between states within an epoch.
    """

    def __init__(
        self,
        state: RunState,
        position: Position,
        steps: int,
        divergence: DivergenceCheck,
        *,
        chief: bool = True,
        minutes: float = 15,
    ):
        super().__init__()
        self.state, self.position, self.steps = state, position, steps
        self.divergence, self.chief, self.minutes = divergence, chief, minutes
        self.stopping = self.saved = False

    def begin(self, epoch: int, history: list[dict]) -> int:
        """Before `fit`; returns the first step of the epoch."""
        resumed = self.position if self.position.epoch == epoch else Position()
        self.epoch, self.history = epoch, history
        self.done = resumed.step
        self.before = resumed.seconds
        self.began = self.last_save = time.perf_counter()
        return self.done

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
        self.state.complete_metrics()
        self.check(logs or {})
        if self.done == self.steps:
            return  # the epoch's own state follows
        due = time.perf_counter() - self.last_save > 60 * self.minutes
        if self.chief and (due or self.stopping):
            self.save(Position(self.epoch, self.done, self.seconds(), self.history))
            self.last_save = time.perf_counter()
        self.end_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True

    def check(self, logs: dict) -> None:
        """Raises `Diverged` for a loss that no training comes back from."""
        self.divergence.check(logs, self.epoch, self.done)

    def save(self, position: Position) -> None:
        """A state that cannot be written costs nothing older, and the next one is tried again."""
        self.saved = attempt("the state", lambda: self.state.save(position))

    @contextlib.contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Within it, SIGTERM asks the first process to stop; the others end with it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self.stop() if self.chief else None)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def attempt(what: str, write: Callable[[], None]) -> bool:
    """Whether a file could be written; if not, that is said, and the training goes on."""
    try:
        write()
    except OSError as error:
        print(f"Could not write {what}: {error}. Going on.", file=sys.stderr, flush=True)
        return False
    return True
