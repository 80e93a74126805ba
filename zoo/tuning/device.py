"""What the backend computes on, and the precision that pays there."""

import os
import platform
from pathlib import Path

import keras


def describe() -> str:
    """One line for a card: processor, or accelerators.

    Example:

    >>> "CPU cores" in describe()
    True
    """
    cores = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    name = _accelerator()
    return f"{name}, {cores}" if name else cores


def fast_dtype() -> str:
    """The dtype policy of training: bfloat16 where the processor multiplies in it.

    Those are GPUs and TPUs, and on TensorFlow CPUs with AMX. Elsewhere it is emulated, and many
    times slower than float32.

    Returns:
        str, "mixed_bfloat16" or "float32".

    Example:

    >>> fast_dtype() in ("mixed_bfloat16", "float32")
    True
    """
    if _accelerator():
        return "mixed_bfloat16"
    flags = Path("/proc/cpuinfo")
    amx = flags.exists() and " amx_bf16 " in flags.read_text(errors="replace")
    return "mixed_bfloat16" if amx and keras.backend.backend() == "tensorflow" else "float32"


def _accelerator() -> str:
    """The name of the first accelerator that the backend uses; "" for none."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        if not devices:
            return ""
        return tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU")
    if backend == "jax":
        import jax

        return "" if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return ""
