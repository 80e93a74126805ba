"""The learning rate of a classifier's training."""

import keras

from training.optimizer import falling
from training.tasks.classification.recipe import ClassificationRecipe
from zoo.errors import ZooError


def rate(recipe: ClassificationRecipe, steps_per_epoch: int):
    """Learning rate as a function of the step.

    Warm-up is linear from 0 before a cosine, and at a tenth of the rate before steps (He et al.,
    "Deep Residual Learning for Image Recognition", section 4.2, for 110 layers).

    Raises:
        ZooError: an unknown schedule; warm-up of a constant rate, or beyond the first drop.
    """
    steps = recipe.epochs * steps_per_epoch
    warmup = recipe.warmup_epochs * steps_per_epoch
    if recipe.schedule == "constant" and warmup:
        raise ZooError("warmup_epochs is for schedule='cosine' or 'steps', not 'constant'.")
    if recipe.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else recipe.learning_rate,
            max(steps - warmup, 1),
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    if recipe.schedule == "steps":
        return falling(recipe.learning_rate, recipe.drops, steps, warmup)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    raise ZooError(f"schedule must be cosine, steps or constant. Received: {recipe.schedule!r}")
