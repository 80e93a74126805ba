"""Trained nets as files of other runtimes: exported, checked, run."""

from zoo.deploy.exported import Exported, load_exported
from zoo.deploy.exporting import export

__all__ = ["Exported", "export", "load_exported"]
