"""Optimizers of recipes."""

from collections.abc import Sequence
from typing import Any

import keras

import zoo
from training.tasks.recipe import Recipe
from zoo.errors import UnknownNameError, ZooError

OPTIMIZERS = {
    "sgd": zoo.optimizers.SGD,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
}


def optimizer(recipe: Recipe, learning_rate: Any) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe. Momentum and multipliers are for SGD; the others have their own
    moments and one rate.

    Args:
        recipe: of any task.
        learning_rate: number, or schedule by training step, of which an update may take several.
    """
    if recipe.optimizer not in OPTIMIZERS:
        raise UnknownNameError("optimizer", recipe.optimizer, OPTIMIZERS)
    if not recipe.clip_norm >= 0:
        raise ZooError(f"clip_norm must be at least 0. Received: {recipe.clip_norm}")
    options: dict[str, Any] = {
        "name": recipe.optimizer,  # a state knows it by name, whatever else the process trained
        "global_clipnorm": recipe.clip_norm or None,
        "gradient_accumulation_steps": recipe.accumulate if recipe.accumulate > 1 else None,
    }
    if recipe.optimizer == "sgd":
        options |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
        options |= {"multipliers": dict(recipe.multipliers)}
    elif recipe.multipliers:
        raise ZooError(f"multipliers are for optimizer='sgd'. Received: {recipe.optimizer!r}")
    return OPTIMIZERS[recipe.optimizer](learning_rate, **options)


def falling(learning_rate: float, drops: Sequence[float], steps: int, warmup: int = 0):
    """A rate that falls to a tenth at each of `drops`, parts of the training, in (0, 1).

    In the first `warmup` steps it is a tenth of itself.
    """
    if list(drops) != sorted(d for d in set(drops) if 0 < d < 1):
        raise ZooError(f"drops must rise within (0, 1). Received: {drops}")
    rates = [learning_rate / 10**i for i in range(len(drops) + 1)]
    # Keras's boundaries are the last steps of the old rate.
    boundaries = [int(steps * drop) - 1 for drop in drops]
    if warmup:
        if boundaries and warmup - 1 >= boundaries[0]:
            raise ZooError(f"warm-up of {warmup} steps must end before the first of drops={drops}.")
        boundaries, rates = [warmup - 1, *boundaries], [learning_rate / 10, *rates]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
