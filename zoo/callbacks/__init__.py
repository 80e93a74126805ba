"""Callbacks of the papers, and functions they wrap."""

from zoo.callbacks.batch_norm_recalibration import (
    BatchNormRecalibration,
    recalibrate_batch_norm,
)
from zoo.callbacks.modulation import ModulationCallback

__all__ = ["BatchNormRecalibration", "ModulationCallback", "recalibrate_batch_norm"]
