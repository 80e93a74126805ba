"""Callbacks of the papers, and functions they wrap."""

from zoo.callbacks.batch_norm_recalibration import (
    BatchNormRecalibration,
    recalibrate_batch_norm,
)

__all__ = ["BatchNormRecalibration", "recalibrate_batch_norm"]
