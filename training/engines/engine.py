"""What every engine is: the devices and processes that a training runs on."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TIMEOUT = 60  # seconds without a sign of life after which another process counts as gone


@dataclass(frozen=True)
class Options:
    """What the command line says about devices.

    Attributes:
        strategy: name of the engine, one of `training.engines.NAMES`.
        devices: how many devices of this host to use, None for all; on a CPU, which is one device,
            as many are made of it (for tests).
        coordinator: "host:port" of process 0 for JAX on several hosts, or "auto" where a cluster
            tells by itself (Slurm, Cloud TPU); None for a single process.
        processes, process: how many there are, and which this is, with a given coordinator.
        tpu: name or address of the TPU for "tpu".
        timeout: see `TIMEOUT`.
    """

    strategy: str = "none"
    devices: int | None = None
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    tpu: str = ""
    timeout: int = TIMEOUT


@dataclass(frozen=True)
class Engine:
    """A started engine.

    Attributes:
        name: one of `training.engines.NAMES`.
        parts: into how many parts every batch is cut, see `training.data.pipeline.Share`.
        mine: the parts of this process.
        devices: how many devices compute, in all processes.
        process, processes: this process and their number; process 0 writes the run folder.
        scope: context in which the model is built and compiled.
        distribute: makes of a tf.data.Dataset of this process's parts what `fit` takes.
        agree: checks that a number is the same in all processes.
        end: parts the processes; what follows is for the first one alone.
    """

    name: str = "none"
    parts: int = 1
    mine: tuple[int, ...] = (0,)
    devices: int = 1
    process: int = 0
    processes: int = 1
    scope: Callable[[], Any] = contextlib.nullcontext
    distribute: Callable[[Any], Any] = lambda batches: batches
    agree: Callable[[int], bool] = lambda number: True
    end: Callable[[], None] = lambda: None

    @property
    def chief(self) -> bool:
        """Whether this is the process that writes."""
        return self.process == 0

    @property
    def replicated(self) -> bool:
        """Whether a model has a copy on each device, as TensorFlow's strategies make them."""
        return self.name in ("mirrored", "multiworker", "tpu")
