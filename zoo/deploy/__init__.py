"""Trained nets as files of other runtimes: exported, checked, run."""

from zoo.deploy.export import export
from zoo.deploy.exported import Exported, load_exported

__all__ = ["Exported", "export", "load_exported"]
