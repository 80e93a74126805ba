"""The epochs of a training: `fit` one at a time, a row of the log and a state behind each."""

import sys
from collections.abc import Callable

import keras

from training.engines.engine import Engine
from training.guard import RunGuard, attempt
from training.log import write_log
from training.state import Position
from training.tasks.task import Batches


def fit(
    model: keras.Model,
    batches: Batches,
    guard: RunGuard,
    engine: Engine,
    *,
    epochs: int,
    validate: Callable[[int], dict],
    callbacks: list[keras.callbacks.Callback],
    tensorboard: bool = False,
) -> list[dict]:
    """Trains from `guard.position` to the end; returns the history.

    Args:
        model: compiled.
        batches: of the task.
        guard: with the state of the run.
        engine: that the model was built for.
        epochs: rounds of the training, the ones before the position counted.
        validate: finished epochs -> figures of other examples, by their names in the log, or {}.
        callbacks: Keras's, ahead of the guard.
        tensorboard: whether to write its event files, too.

    Raises:
        Diverged: the last good state is on disk, and a report.
        Stopped: the state is on disk.
        OSError: the last state could not be written.
    """
    run, position = guard.state.folder, guard.position
    history = list(position.history)
    verbose = (1 if sys.stdout.isatty() else 2) if engine.chief else 0
    with guard.on_sigterm():
        for epoch in range(position.epoch, epochs):
            first = guard.begin(epoch, history)
            # One epoch per call: it begins and ends where we say, also after a resume within it.
            figures = model.fit(
                engine.distribute(batches.round(epoch, first)),
                steps_per_epoch=batches.steps - first,
                initial_epoch=epoch,
                epochs=epochs,
                shuffle=False,  # the pipeline does, by seed and epoch
                callbacks=[*callbacks, guard],
                verbose=verbose,
            ).history
            row = {"epoch": epoch + 1, "learning_rate": _rate(model.optimizer)}
            row |= {"seconds": round(guard.seconds(), 2)}
            row |= {key: float(values[-1]) for key, values in figures.items()}
            row["images_per_second"] = round(batches.size * batches.steps / guard.seconds())
            guard.check(row)
            row |= {key: float(value) for key, value in validate(epoch + 1).items()}
            history.append(row)
            if engine.chief:
                attempt("the log", lambda: write_log(run, history, tensorboard=tensorboard))
                guard.save(Position(epoch + 1, 0, 0.0, history))
                guard.end_if_asked()
    if engine.chief and epochs > position.epoch and not guard.saved:
        raise OSError(f"{run}: the last state could not be written")
    return history


def _rate(optimizer: keras.optimizers.Optimizer) -> float:
    rate = optimizer.learning_rate
    return float(rate.numpy() if isinstance(rate, keras.Variable) else rate)
