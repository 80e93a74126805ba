"""A Keras 3 zoo of very deep networks that train without shortcuts."""

import itertools
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

from zoo.version import __version__ as __version__


def _is_console_command() -> bool:
    """Whether this process is `zoo …` or `python -m zoo …`.

    The commands import what they need, and most need no backend. Everybody else gets the whole
    package: Keras finds the zoo's classes in a `.keras` file only once they are imported.
    """
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # so Python says while it looks for the module
        return ("-m", "zoo") in itertools.pairwise(sys.orig_argv)
    return PurePath(program).stem == "zoo"


if TYPE_CHECKING or not _is_console_command():
    from zoo import (
        callbacks,
        checkpoint,
        constraints,
        deploy,
        detection,
        errors,
        formats,
        hub,
        initializers,
        layers,
        models,
        optimizers,
        preprocessing,
        regularizers,
        signals,
        tuning,
    )
    from zoo.checkpoint.save import save
    from zoo.creation import create
    from zoo.deploy.exporting import export
    from zoo.formats.conversion import convert
    from zoo.formats.folding import fold
    from zoo.hub.index import card, list_weights
    from zoo.hub.loading import load
    from zoo.hub.publish import publish
    from zoo.preprocessing import preprocess
    from zoo.registry import list_models
    from zoo.tasks.classification import predict
    from zoo.tuning.tune import finetune

__all__ = [
    "callbacks",
    "card",
    "checkpoint",
    "constraints",
    "convert",
    "create",
    "deploy",
    "detection",
    "errors",
    "export",
    "finetune",
    "fold",
    "formats",
    "hub",
    "initializers",
    "layers",
    "list_models",
    "list_weights",
    "load",
    "models",
    "optimizers",
    "predict",
    "preprocess",
    "preprocessing",
    "publish",
    "regularizers",
    "save",
    "signals",
    "tuning",
]
