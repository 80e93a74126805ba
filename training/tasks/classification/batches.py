"""The batches of a classifier's training, epoch by epoch."""

import numpy as np

from training.data import Images
from training.data.pipeline import Batches, Share
from training.tasks.classification.model import prepare_layer
from training.tasks.classification.recipe import ClassificationRecipe
from zoo.errors import ZooError


class EpochBatches:
    """What a recipe makes of a training set; see `training.tasks.task.Batches`.

    Args:
        recipe: of the training.
        images: to learn from.
        share: the parts of this process.
    """

    def __init__(self, recipe: ClassificationRecipe, images: Images, share: Share):
        if len(images.y) < recipe.batch_size:
            raise ZooError(
                f"batch_size must be at most the number of training images, {len(images.y)}. "
                f"Received: batch_size={recipe.batch_size}"
            )
        self.recipe = recipe
        self.size = recipe.batch_size // recipe.accumulate
        self.data = Batches(
            images,
            self.size,
            recipe.seed,
            prepare_layer(recipe).draws,
            recipe.preprocess if recipe.resized_crop else None,
            share,
            least_area=recipe.least_area,
            sides=recipe.sides,
            mixup=recipe.mixup,
            cutmix=recipe.cutmix,
            soft=recipe.soft_labels,
        )
        self.steps = len(images.y) // recipe.batch_size * recipe.accumulate

    def round(self, number: int, first: int):
        """What `fit` takes for the steps from `first` on of an epoch."""
        return self.data.epoch(number, first, self.recipe.pipeline)

    def step(self, number: int, step: int) -> tuple[dict, np.ndarray]:
        """The whole batch of one step."""
        return self.data.batch(self.data.order(number), number, step, 0)

    def images_per_second(self) -> float:
        """What this process can read alone."""
        return self.data.images_per_second()
