"""A Keras 3 zoo of very deep networks that train without shortcuts."""

from zoo import constraints, initializers, layers, models, regularizers
from zoo.models import create, list_models

__version__ = "0.1.0"
__all__ = [
    "constraints",
    "create",
    "initializers",
    "layers",
    "list_models",
    "models",
    "regularizers",
]
