"""The learning rate of a classifier's training."""

import keras

from training.optimizer import falling
from training.tasks.classification.recipe import ClassificationRecipe
from zoo.errors import ZooError


def rate(recipe: ClassificationRecipe, steps_per_epoch: int):
    """Learning rate as a function of the step."""
    steps = recipe.epochs * steps_per_epoch
    if recipe.schedule == "cosine":
        warmup = recipe.warmup_epochs * steps_per_epoch
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else recipe.learning_rate,
            max(steps - warmup, 1),
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    if recipe.schedule == "steps":
        return falling(recipe.learning_rate, recipe.drops, steps)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    raise ZooError(f"schedule must be cosine, steps or constant. Received: {recipe.schedule!r}")
