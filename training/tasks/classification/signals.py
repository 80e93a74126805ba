"""The signals of a training's layers, probed on images that stay the same."""

from pathlib import Path

import numpy as np

from training.data import Images
from training.data.pipeline import centred
from training.recipe import Recipe
from training.trainer import prepare_layer
from zoo.callbacks import SignalMonitor

IMAGES = 32


def monitor(recipe: Recipe, run: Path, train_set: Images) -> SignalMonitor:
    """Writes `run/signals.csv`, from the first `IMAGES` of the training set, not augmented.

    A resumed training takes the steps of an uninterrupted one: whatever a probe costs, the period
    is the recipe's.
    """
    index = np.arange(min(IMAGES, len(train_set.y)))
    inputs = {"image": centred(train_set.x, index, recipe.preprocess)}
    if draws := prepare_layer(recipe).draws:
        # A probe runs the layers as in training; at 1/2, `Prepare` leaves an image as it is.
        inputs["draws"] = np.full((len(index), draws), 0.5, "float32")
    return SignalMonitor(
        inputs, train_set.y[index], every=recipe.signals_every, folder=run, budget=None
    )
