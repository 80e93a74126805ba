"""The images on which the signals of a classifier's layers are read."""

import numpy as np

from training.data import Images
from training.data.pipeline import centred, one_hot
from training.tasks.classification.model import prepare_layer
from training.tasks.classification.recipe import ClassificationRecipe

IMAGES = 32


def probe(recipe: ClassificationRecipe, images: Images) -> tuple[dict, np.ndarray]:
    """Inputs and targets of the first `IMAGES` of the training set, not augmented."""
    index = np.arange(min(IMAGES, len(images.y)))
    inputs = {"image": centred(images.x, index, recipe.preprocess)}
    if draws := prepare_layer(recipe).draws:
        # A probe runs the layers as in training; at 1/2, `Prepare` leaves an image as it is.
        inputs["draws"] = np.full((len(index), draws), 0.5, "float32")
    labels = images.y[index]
    return inputs, one_hot(labels, len(images.labels)) if recipe.soft_labels else labels
