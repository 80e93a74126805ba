"""Training steps of maxnorm_plainnet50, batch 128, by the training program: one core, two, and two
processes of one core each.

The ratio is against one core; 2 would be all that a second one can give.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.common import main

IMAGES, BATCH = 1280, 128


def worker(folder: str, cores: str, options: str) -> None:
    """One process of a training, on these cores."""
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    import dataclasses

    import keras
    import numpy as np

    import training.data
    from training.data import Images
    from training.engines import Options
    from training.recipes.maxnorm_plainnet50_cifar10 import RECIPE
    from training.train import train

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype="uint8")
    training.data.read = lambda *_, **__: Images(x, np.arange(IMAGES) % 10, tuple("abcdefghij"))
    fast = keras.backend.backend() == "tensorflow"
    recipe = dataclasses.replace(
        RECIPE,
        epochs=2,
        validate_every=0,
        recalibrate=0,
        dtype="mixed_bfloat16" if fast else "float32",
    )
    train(recipe, Path(folder), "", options=Options(**json.loads(options)))


def step(cores: list[str]) -> dict[str, float]:
    """Seconds of a step of the second epoch, with a process for each group of cores."""
    ports = []
    for _ in cores:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for i, group in enumerate(cores):
            threads = str(len(group.split(",")))
            env = {**os.environ, "OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads}
            options: dict = {}
            if len(cores) > 1 and os.environ["KERAS_BACKEND"] == "jax":
                options = {"strategy": "jax", "coordinator": f"127.0.0.1:{ports[0]}"}
                options |= {"processes": len(cores), "process": i}
            elif len(cores) > 1:
                options = {"strategy": "multiworker"}
                cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
                task = {"type": "worker", "index": i}
                env["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            call = f"worker({folder!r}, {group!r}, {json.dumps(options)!r})"
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", f"from benchmarks.scaling import worker; {call}"],
                    env=env,
                    stdout=sys.stderr,
                )
            )
        codes = [process.wait() for process in processes]
        if any(codes):
            raise RuntimeError("a process failed")
        row = json.loads((Path(folder) / "log.json").read_text())[-1]
    return {"step": row["seconds"] / (IMAGES // BATCH)}


PLACES = {"one core": ["0"], "two cores": ["0,1"], "two processes": ["0", "1"]}
CONTENDERS = {
    f"{backend}, {name}": (backend, partial(step, cores))
    for backend in ("tensorflow", "jax")
    for name, cores in PLACES.items()
}

if __name__ == "__main__":
    main(
        "scaling",
        CONTENDERS,
        {
            key: f"{key.partition(', ')[0]}, one core"
            for key in CONTENDERS
            if not key.endswith("one core")
        },
        rounds=1,
    )
