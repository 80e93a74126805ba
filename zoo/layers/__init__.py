"""Layers of the papers, as ordinary Keras layers."""

from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.crelu import CReLU
from zoo.layers.symmetric_conv2d import SymmetricConv2D

__all__ = ["BatchNormalization", "CReLU", "SymmetricConv2D"]
