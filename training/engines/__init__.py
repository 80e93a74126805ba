"""Engines spread a training over devices and hosts: TensorFlow's strategies and JAX's.

`start(options)` must come before anything else touches the backend's devices. See
`docs/training.md` for what to start where.
"""

import argparse
import importlib
from typing import Any

from training.engines.engine import TIMEOUT, Engine, Options
from zoo.errors import ZooError

# engine -> the backend that it runs on, "" for any
BACKENDS = {
    "none": "",
    "mirrored": "tensorflow",
    "multiworker": "tensorflow",
    "tpu": "tensorflow",
    "jax": "jax",
}
NAMES = tuple(BACKENDS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command line."""
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
    """The options that were given."""
    names = Options.__dataclass_fields__
    return Options(**{name: getattr(arguments, name) for name in names})


def start(options: Options) -> Engine:
    """Starts the engine.

    Raises:
        ZooError: it does not run on this backend, or not with these options.
    """
    import keras

    if options.strategy not in NAMES:
        raise ZooError(f"strategy must be one of {NAMES}. Received: {options.strategy!r}")
    backend, needed = keras.backend.backend(), BACKENDS[options.strategy]
    if needed and needed != backend:
        raise ZooError(
            f"--strategy {options.strategy} runs on KERAS_BACKEND={needed}; this is {backend}."
            + (" On PyTorch, Keras trains on one device." if backend == "torch" else "")
        )
    if options.strategy != "jax" and (options.coordinator or options.processes):
        raise ZooError("--coordinator, --processes and --process belong to --strategy jax.")
    # Only the chosen one: each imports the backend that it is for.
    return importlib.import_module(f"training.engines.{options.strategy}").start(options)


# What Keras gets wrong under an engine of replicas, and why it is not attempted.
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


def check(engine: Engine, recipe: Any) -> None:
    """Refuses what the engine would compute wrongly.

    Args:
        engine: to train with.
        recipe: of any task.

    Raises:
        ZooError: with the reason.
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
    if engine.replicated:
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


def several(options: Options) -> bool:
    """Whether the options are those of more than one process."""
    return options.strategy == "multiworker" or bool(options.coordinator)
