"""What a file format with a runtime of its own is to the rest: the parts that differ."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo.errors import UnknownNameError, ZooError

Run = Callable[[np.ndarray], np.ndarray]
"""Preprocessed pictures (N, H, W, C) float32 -> outputs (N, classes)."""


@dataclass(frozen=True)
class Runtime:
    """A file format and what runs it.

    Attributes:
        name: str, of the format.
        suffix: str, of its file; "" for a folder.
        extra: str, of the zoo, that brings the packages.
        packages: mapping of precision to tuple of str, modules that writing needs.
        backends: tuple of str, Keras's backends that can write it.
        write: (model, path, precision, batches) writes a folded model; batches are preprocessed
            pictures to calibrate int8 with, [] for other precisions.
        open: path -> function that runs the file.
        reads: tuple of str, modules that running needs.
        parts: tuple of str, suffixes of further files that belong to it.
    """

    name: str
    suffix: str
    extra: str
    packages: Mapping[str, tuple[str, ...]]
    backends: tuple[str, ...]
    write: Callable[[keras.Model, Path, str, list[np.ndarray]], None]
    open: Callable[[Path], Run]
    reads: tuple[str, ...]
    parts: tuple[str, ...] = ()

    def check(self, precision: str) -> None:
        """Refuses what cannot be written here, before any work.

        Raises:
            ZooError: the precision, the backend or a missing package.
        """
        if precision not in self.packages:
            raise UnknownNameError(f"precision of {self.name}", precision, self.packages)
        backend = keras.backend.backend()
        if backend not in self.backends:
            raise ZooError(
                f"{self.name} is written by Keras on {' or '.join(self.backends)}, and the backend "
                f"is {backend}. Set KERAS_BACKEND={self.backends[0]}."
            )
        self.need((*self.packages[precision], *self.reads))

    def need(self, modules: tuple[str, ...]) -> None:
        """Refuses where a module is missing, with the command that brings it."""
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            raise ZooError(
                f'{self.name} needs {", ".join(missing)}: pip install "zoo[{self.extra}]"'
            )
