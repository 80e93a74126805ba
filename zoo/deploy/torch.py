"""PyTorch's exported programs, .pt2, which run without Keras: one picture at a time."""

from pathlib import Path

import keras
import numpy as np

from zoo.deploy.runtime import Run, Runtime


def _write(model: keras.Model, path: Path, precision: str, batches: list[np.ndarray]) -> None:
    model.export(str(path), format="torch", verbose=False)


def _open(path: Path) -> Run:
    import torch

    program = torch.export.load(path).module()

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            rows = [program(torch.from_numpy(x[i : i + 1])) for i in range(len(x))]
        return torch.cat(rows).numpy()

    return run


TORCH = Runtime(
    name="torch",
    suffix=".pt2",
    extra="torch",
    packages={"float32": ()},
    backends=("torch",),
    write=_write,
    open=_open,
    reads=("torch",),
)
