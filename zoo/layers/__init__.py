"""Layers of the papers, as ordinary Keras layers."""

from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.crelu import CReLU

__all__ = ["BatchNormalization", "CReLU"]
