"""The papers' instruments, as functions of weights and signals."""

from zoo.signals.correlation import filter_correlations

__all__ = ["filter_correlations"]
