"""A Keras 3 zoo of very deep networks that train without shortcuts."""

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
from zoo.creation import create
from zoo.formats.conversion import convert
from zoo.hub.index import card, list_weights, load
from zoo.hub.publish import publish
from zoo.prediction import predict
from zoo.preprocessing import preprocess
from zoo.registry import list_models
from zoo.version import __version__ as __version__

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
