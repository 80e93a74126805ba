"""JAX: keras.distribution over the devices of one or many processes."""

import os

import jax
import keras
import numpy as np

from training.engines.engine import Engine, Options
from training.machine import accelerator
from zoo.errors import ZooError


def start(options: Options) -> Engine:
    """Data parallelism; every variable is on all devices, every batch is cut along its images."""
    if options.coordinator:
        _join(options)
    if options.devices and not _accelerators():
        try:
            jax.config.update("jax_num_cpu_devices", options.devices)
        except RuntimeError as error:
            raise ZooError(f"--devices came after JAX had started its devices: {error}") from error
    devices = jax.devices()
    if options.devices:
        if len(jax.local_devices()) < options.devices:
            raise ZooError(f"--devices {options.devices}: there are {len(jax.local_devices())}.")
        devices = [d for p in range(jax.process_count()) for d in _of(p)[: options.devices]]
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(
            device_mesh=keras.distribution.DeviceMesh((len(devices),), ["batch"], devices),
            auto_shard_dataset=False,  # `training.data.pipeline` gives each process its part
        )
    )
    return Engine(
        "jax",
        parts=jax.process_count(),
        mine=(jax.process_index(),),
        devices=len(devices),
        process=jax.process_index(),
        processes=jax.process_count(),
        agree=_agree,
        end=_end,
    )


def _end() -> None:
    """Back to single devices. The processes wait for each other, or the first one's evaluation
    would look like silence to the others."""
    keras.distribution.set_distribution(None)
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def _join(options: Options) -> None:
    if options.coordinator == "auto":
        where = {}
    else:
        if options.processes is None or options.process is None:
            raise ZooError("--coordinator HOST:PORT needs --processes and --process.")
        where = {
            "coordinator_address": options.coordinator,
            "num_processes": options.processes,
            "process_id": options.process,
        }
    jax.distributed.initialize(
        **where,
        initialization_timeout=max(options.timeout, 300),
        heartbeat_timeout_seconds=options.timeout,
    )


def _accelerators() -> bool:
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms == "cpu":
        return False
    return accelerator() is not None


def _of(process: int) -> list:
    return [d for d in jax.devices() if d.process_index == process]


def _agree(number: int) -> bool:
    if jax.process_count() == 1:
        return True
    from jax.experimental import multihost_utils

    return len(set(np.ravel(multihost_utils.process_allgather(np.array(number))).tolist())) == 1
