"""The pictures that a classifier learns from and is measured on."""

import dataclasses

import numpy as np

from training import data as datasets
from training.data import Images
from training.data.digest import of_images
from training.data.holdout import hold_out
from training.data.statistics import per_pixel
from training.data.subset import fraction_of, without_classes
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.task import Data
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess


def read(recipe: ClassificationRecipe, data_dir: str, *, download: bool = False) -> Data:
    """The training set and the test set, or what is held out in place of it.

    Raises:
        ZooError: there is no such set; its pictures do not fit the recipe.
    """
    train = _read(recipe, "train", data_dir, download)
    if recipe.holdout:
        train, test = hold_out(train, recipe.holdout)
    else:
        test = _read(recipe, "test", data_dir, download)
    if recipe.fraction < 1:
        train = fraction_of(train, recipe.fraction, recipe.seed)
    counts = {"train": len(train.y), "test": len(test.y)}
    digests = {"train": of_images(train), "test": of_images(test)}
    return Data(train, test, train.labels, counts, preprocessing(recipe, train), digests)


def _read(recipe: ClassificationRecipe, split: str, data_dir: str, download: bool) -> Images:
    images = datasets.read(recipe.data, split, data_dir, download=download)
    return without_classes(images, recipe.leave_out) if recipe.leave_out else images


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
