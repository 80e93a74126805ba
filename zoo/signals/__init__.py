"""The papers' instruments, for any Keras model: `Probe` reads signals, pure functions judge them."""

from zoo.signals.correlation import filter_correlations
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, gradient_norm, layers_of, mean_square, raw

__all__ = [
    "Probe",
    "Tap",
    "filter_correlations",
    "gradient_norm",
    "layers_of",
    "mean_square",
    "raw",
]
