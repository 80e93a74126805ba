"""The compiled detector of a recipe."""

import keras

from training.engines.engine import Engine
from training.optimizer import falling, optimizer
from training.tasks.detection.network import network
from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.model import model_class, synchronize
from zoo.models.policy import dtype_policy


@keras.saving.register_keras_serializable("zoo_training")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, whose rate rises linearly from a thousandth in the first `steps`."""

    def __init__(self, schedule, steps: int):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        part = keras.ops.minimum(keras.ops.cast(step, "float32") / max(self.steps, 1), 1.0)
        return self.schedule(step) * (0.001 + 0.999 * part)

    def get_config(self):
        return {"schedule": self.schedule, "steps": self.steps}


def build(recipe: DetectionRecipe, labels: tuple[str, ...], engine: Engine) -> keras.Model:
    """The compiled detector for these classes, within the engine's scope. Its losses are its
    own."""
    with dtype_policy(recipe.dtype), engine.scope():
        model = network(recipe, labels)
        synchronize(model, engine)
        # The zoo makes detectors of its own class; what differs is the steps of `fit`.
        model.__class__ = model_class(engine, type(model))
        model.compile(optimizer(recipe, rate(recipe)), jit_compile=keras.backend.backend() == "jax")
        model.optimizer.build(model.trainable_variables)
        return model


def rate(recipe: DetectionRecipe) -> WarmUp:
    """The learning rate by training step, of which an update takes `accumulate`."""
    falls = falling(recipe.learning_rate, recipe.drops, recipe.steps * recipe.accumulate)
    return WarmUp(falls, recipe.warmup_steps * recipe.accumulate)
