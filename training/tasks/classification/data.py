"""The pictures that a classifier learns from and is measured on."""

import dataclasses

import numpy as np

from training import data as datasets
from training.data import Images
from training.data.holdout import hold_out
from training.data.statistics import per_pixel
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.task import Data
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess


def read(recipe: ClassificationRecipe, data_dir: str, *, download: bool = False) -> Data:
    """The training set and the test set, or what is held out in place of it.

    Raises:
        ZooError: there is no such set; its pictures do not fit the recipe.
    """
    train = datasets.read(recipe.data, "train", data_dir, download=download)
    if recipe.holdout:
        train, test = hold_out(train, recipe.holdout)
    else:
        test = datasets.read(recipe.data, "test", data_dir, download=download)
    counts = {"train": len(train.y), "test": len(test.y)}
    return Data(train, test, train.labels, counts, preprocessing(recipe, train))


def preprocessing(recipe: ClassificationRecipe, train: Images) -> Preprocess:
    """The recipe's `Preprocess`, with the statistics of each pixel where it asks for them."""
    preprocess = recipe.preprocess
    fits = recipe.resized_crop or not isinstance(train.x, np.ndarray)
    if not fits and train.x.shape[1:3] != tuple(preprocess.size):
        raise ZooError(
            f"The pictures of {recipe.data} have {train.x.shape[1:3]} pixels, the model takes "
            f"{tuple(preprocess.size)}."
        )
    if not recipe.per_pixel:
        return preprocess
    mean, std = per_pixel(train)
    return dataclasses.replace(
        preprocess,
        mean=tuple((mean * preprocess.scale).ravel().tolist()),
        std=tuple((std * preprocess.scale).ravel().tolist()),
    )
