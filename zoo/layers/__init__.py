"""Layers of the papers, as ordinary Keras layers."""

from zoo.layers.batch_normalization import BatchNormalization

__all__ = ["BatchNormalization"]
