"""What this machine computes on, found without starting a backend."""

import glob
import importlib.util
import os
import platform
import shutil
import subprocess


def accelerator() -> str | None:
    """The accelerators' name ("NVIDIA H200", "TPU"), None for a machine without."""
    if glob.glob("/dev/accel*") or (glob.glob("/dev/vfio/[0-9]*") and os.environ.get("TPU_NAME")):
        return "TPU"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    names = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    return names[0] if result.returncode == 0 and names else None


def device() -> str:
    """One line for a card: processor, or accelerator."""
    cores = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    name = accelerator()
    return f"{name}, {cores}" if name else cores


def choose_backend() -> str:
    """The backend for training here when nobody chose one (KERAS_BACKEND, keras.json).

    TensorFlow on a CPU, where its bfloat16 steps are the fastest of the three
    (`benchmarks/README.md`); JAX on GPUs and TPUs, where it is compiled throughout and the one
    engine for any number of devices, if it is installed.
    """
    if accelerator() and importlib.util.find_spec("jax"):
        return "jax"
    return "tensorflow" if importlib.util.find_spec("tensorflow") else "jax"
