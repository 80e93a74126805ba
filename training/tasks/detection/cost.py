"""What one photo costs a detector in training."""

import keras

import zoo
from training.tasks.detection.recipe import DetectionRecipe
from zoo.models.deferred import build_without_values

CLASSES = 80  # where the photos alone tell


def multiply_adds(recipe: DetectionRecipe) -> int:
    """Multiply-adds of a forward pass in training: backbone, pyramid, and the heads on as many
    regions as they learn from."""
    options = {"input_shape": (*recipe.size, 3), "num_classes": CLASSES, **recipe.model_args}
    model = build_without_values(lambda: zoo.create(recipe.model, **options))
    total = sum(model.multiply_adds_of_parts(training=True).values())
    keras.backend.clear_session()
    return total
