"""Optimizers of the papers' protocols. Schedules are Keras's own."""

from zoo.optimizers.sgd import SGD

__all__ = ["SGD"]
