"""A Keras 3 zoo of very deep networks that train without shortcuts."""

__version__ = "0.1.0"

from zoo import (
    callbacks,
    constraints,
    detection,
    initializers,
    layers,
    models,
    optimizers,
    regularizers,
    signals,
)
from zoo.formats.conversion import convert
from zoo.hub.index import card, list_weights, load
from zoo.hub.publish import publish
from zoo.models import create, list_models
from zoo.prediction import predict
from zoo.preprocessing import preprocess

__all__ = [
    "callbacks",
    "card",
    "constraints",
    "convert",
    "create",
    "detection",
    "initializers",
    "layers",
    "list_models",
    "list_weights",
    "load",
    "models",
    "optimizers",
    "predict",
    "preprocess",
    "publish",
    "regularizers",
    "signals",
]
