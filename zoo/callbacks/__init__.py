"""Callbacks of the papers, and functions they wrap."""

from zoo.callbacks.batch_norm_recalibration import (
    BatchNormRecalibration,
    recalibrate_batch_norm,
)
from zoo.callbacks.modulation import ModulationCallback
from zoo.callbacks.signal_monitor import SignalMonitor
from zoo.callbacks.weight_average import WeightAverage

__all__ = [
    "BatchNormRecalibration",
    "ModulationCallback",
    "SignalMonitor",
    "WeightAverage",
    "recalibrate_batch_norm",
]
