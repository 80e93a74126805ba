"""A small image set and recipe for tests of the training program, also in fresh processes."""

import os

import numpy as np

from training.data import Images
from training.recipe import Recipe
from zoo.preprocessing import Preprocess


def images(split: str = "train") -> Images:
    """Three kinds of 6x6 pictures that a small net tells apart: bright top, left, or neither."""
    rng = np.random.default_rng({"train": 0, "test": 1}[split])
    y = np.arange({"train": 90, "test": 33}[split]) % 3
    x = rng.integers(0, 100, size=(len(y), 6, 6, 1))
    x[y == 0, :3] += 120
    x[y == 1, :, :3] += 120
    return Images(x.astype("uint8"), y, ("top", "left", "neither"))


RECIPE = Recipe(
    model="maxnorm_mlp3",
    data="toy",
    tag="toy",
    epochs=4,
    learning_rate=0.05,
    batch_size=16,
    warmup_epochs=1,
    flip=True,
    crop=1,
    validate_every=2,
    recalibrate=80,
    recalibrate_batch=40,
    preprocess=Preprocess((6, 6), 1, 6, "bilinear", 1 / 255, (0.4,), (0.3,)),
    model_args={"units": 24},
)


def use_toy_data() -> None:
    """Lets the programs read this set instead of files."""
    import training.data

    training.data.read = lambda name, split, *_, **__: images(split)


def die_while_writing_state(epoch: int) -> None:
    """Makes this process kill itself half-way through writing the state of `epoch`."""
    import signal

    from training import state

    write = state.write_atomically

    def write_or_die(path, data):
        if path.name == f"state-{epoch:05d}.safetensors":
            path.with_name(f".{path.name}.partial").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, data)

    state.write_atomically = write_or_die
