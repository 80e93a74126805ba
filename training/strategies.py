"""Engines that spread a training over devices and hosts: TensorFlow's strategies and JAX's.

`start(options)` must come before anything else touches the backend's devices. See
`docs/training.md` for what to start where.
"""

import argparse
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.recipe import Recipe
from zoo.errors import ZooError

NAMES = ("none", "mirrored", "multiworker", "tpu", "jax")
TIMEOUT = 60  # seconds without a sign of life after which another process counts as gone


@dataclass(frozen=True)
class Options:
    """What the command line says about devices.

    Attributes:
        strategy: one of `NAMES`.
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
        name: one of `NAMES`.
        parts: into how many parts every batch is cut, see `training.data.pipeline.Share`.
        mine: the parts of this process.
        devices: how many devices compute, in all processes.
        process, processes: this process and their number; process 0 writes the run folder.
        scope: context in which the model is built and compiled.
        distribute: makes of a tf.data.Dataset of this process's parts what `fit` takes.
        agree: checks that a number is the same in all processes.
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

    @property
    def chief(self) -> bool:
        return self.process == 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("devices and hosts (docs/training.md)")
    group.add_argument("--strategy", choices=NAMES, default="none", help="default: one device")
    group.add_argument("--devices", type=int, help="devices of this host (default: all)")
    group.add_argument("--coordinator", help="jax: HOST:PORT of process 0, or auto")
    group.add_argument("--processes", type=int, help="jax: number of processes")
    group.add_argument("--process", type=int, help="jax: number of this process, from 0")
    group.add_argument("--tpu", default="", help="tpu: name or address")
    group.add_argument(
        "--timeout",
        type=int,
        default=TIMEOUT,
        help="seconds until a silent process counts as gone (default: %(default)s)",
    )


def options(arguments: argparse.Namespace) -> Options:
    names = Options.__dataclass_fields__
    return Options(**{name: getattr(arguments, name) for name in names})


def start(options: Options) -> Engine:
    """Starts the engine.

    Raises:
        ValueError: it does not run on this backend, or not with these options.
    """
    import keras

    backend = keras.backend.backend()
    wanted = {"mirrored": "tensorflow", "multiworker": "tensorflow", "tpu": "tensorflow"}
    wanted = {**wanted, "jax": "jax"}.get(options.strategy, backend)
    if options.strategy not in NAMES:
        raise ZooError(f"strategy must be one of {NAMES}. Received: {options.strategy!r}")
    if wanted != backend:
        raise ZooError(
            f"--strategy {options.strategy} runs on KERAS_BACKEND={wanted}; this is {backend}."
            + (" On PyTorch, Keras trains on one device." if backend == "torch" else "")
        )
    if options.strategy != "jax" and (options.coordinator or options.processes):
        raise ZooError("--coordinator, --processes and --process belong to --strategy jax.")
    if options.strategy == "none":
        return Engine()
    from training import strategies_jax, strategies_tensorflow

    if options.strategy == "jax":
        return strategies_jax.start(options)
    return strategies_tensorflow.start(options)


# What Keras gets wrong under an engine, and why it is not attempted.
_REFUSED = {
    "accumulate": (
        lambda recipe: recipe.accumulate > 1,
        "Keras updates under a condition, where TensorFlow lets replicas exchange nothing",
    ),
    "clip_norm": (
        lambda recipe: recipe.clip_norm > 0,
        "Keras clips the gradient of each replica before they are summed, which is another rule",
    ),
}


def check(engine: Engine, recipe: Recipe) -> None:
    """Refuses what the engine would compute wrongly.

    Raises:
        ValueError: with the reason.
    """
    if recipe.accumulate < 1 or recipe.batch_size % (recipe.accumulate * engine.parts):
        raise ZooError(
            f"batch_size={recipe.batch_size} must be a multiple of accumulate="
            f"{recipe.accumulate} times the {engine.parts} parts that --strategy {engine.name} "
            "cuts a batch into."
        )
    if recipe.batch_size % (recipe.accumulate * engine.devices):
        raise ZooError(
            f"batch_size={recipe.batch_size} must be a multiple of the {engine.devices} devices"
            f" (times accumulate={recipe.accumulate})."
        )
    if engine.name in ("mirrored", "multiworker", "tpu"):
        for name, (used, reason) in _REFUSED.items():
            if used(recipe):
                raise ZooError(
                    f"{name}={getattr(recipe, name)} is refused with --strategy {engine.name}: "
                    f"{reason}. --strategy jax does it."
                )
        if recipe.pipeline == "memory":
            raise ZooError(f"--strategy {engine.name} takes pipeline=tfdata.")
    if engine.name == "tpu" and recipe.dtype == "mixed_float16":
        raise ZooError("TPUs compute in bfloat16: dtype=mixed_bfloat16.")


def sign_of_a_lost_process(error: BaseException) -> str:
    """The line of an error that tells that another process of the training has gone, or "".

    TensorFlow and JAX have no type for it; JAX's is a plain ValueError.
    """
    signs = ("gloo", "unavailable", "aborted", "heartbeat", "socket closed", "connection reset")
    lines = [] if isinstance(error, ZooError) else str(error).splitlines()
    return next((line for line in lines if any(sign in line.lower() for sign in signs)), "")


def several(arguments: argparse.Namespace) -> bool:
    """Whether the command line asks for more than one process."""
    return arguments.strategy == "multiworker" or bool(arguments.coordinator)


def end(engine: Engine) -> None:
    """Parts the processes; what follows is for the first one alone."""
    if engine.name == "jax":
        from training import strategies_jax

        strategies_jax.end()
