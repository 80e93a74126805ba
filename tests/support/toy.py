"""Small image sets and recipes for tests of the training program, also in fresh processes:

python -m tests.support.toy toy|proof [key=value …] [options of training.train]
"""

import os
import signal
import sys
import threading

if os.environ.get("ZOO_TEST") == "without tensorflow":
    sys.modules["tensorflow"] = None  # type: ignore[assignment]

import numpy as np

from training.data import Images
from training.tasks.classification.recipe import ClassificationRecipe
from zoo.preprocessing import Preprocess


def images(split: str = "train") -> Images:
    """Three kinds of 6x6 pictures that a small net tells apart: bright top, left, or neither."""
    rng = np.random.default_rng({"train": 0, "test": 1}[split])
    y = np.arange({"train": 90, "test": 33}[split]) % 3
    x = rng.integers(0, 100, size=(len(y), 6, 6, 1))
    x[y == 0, :3] += 120
    x[y == 1, :, :3] += 120
    return Images(x.astype("uint8"), y, ("top", "left", "neither"))


RECIPE = ClassificationRecipe(
    model="maxnorm_mlp3",
    data="toy",
    tag="toy",
    epochs=4,
    learning_rate=0.05,
    batch_size=16,
    warmup_epochs=1,
    average=0.5,
    flip=True,
    crop=1,
    validate_every=2,
    recalibrate=80,
    recalibrate_batch=40,
    preprocess=Preprocess((6, 6), 1, 6, "bilinear", 1 / 255, (0.4,), (0.3,)),
    model_args={"units": 24},
)


def noise(split: str) -> Images:
    """Pictures of noise with labels of chance; batches of neither split come out even."""
    rng = np.random.default_rng([2, split == "train"])
    n = {"train": 50, "test": 21}[split]
    x = rng.integers(0, 256, size=(n, 8, 8, 3), dtype="uint8")
    return Images(x, rng.integers(0, 4, size=n), ("a", "b", "c", "d"))


# Everything that could differ between devices: batch norm, the orthonormal regularizer, max-norm,
# modulation, augmentation, momentum.
PROOF = ClassificationRecipe(
    model="plainnet8",
    data="proof",
    tag="proof",
    epochs=1,  # of 3 steps
    learning_rate=0.05,
    batch_size=16,
    schedule="constant",
    modulation_steps=2,
    flip=True,
    crop=1,
    jitter=0.2,
    lighting=0.1,
    recalibrate=0,
    preprocess=Preprocess((8, 8), 3, 8, "bilinear", 1 / 255, (0.5,) * 3, (0.25,) * 3),
    model_args={"modulation": True, "max_norm": 0.9, "orthonormal": 0.01},
)


def install() -> None:
    """Lets the programs know these sets and recipes, and a PlainNet of 8 layers."""
    import training.data
    from training import train
    from training.recipe import find
    from zoo.models import plainnet
    from zoo.models.variant import Variant

    sets = {"toy": images, "proof": noise}
    training.data.read = lambda name, split, *_, **__: sets[name](split)
    recipes = {"toy": RECIPE, "proof": PROOF}
    train.recipes.find = lambda name: recipes[name] if name in recipes else find(name)
    plainnet.VARIANTS.append(Variant("plainnet8", plainnet.plainnet, {"depth": 8}))


def kill_after(seconds: float) -> None:
    """Makes this process kill itself at that time after the first step that it trains."""
    from training.guard import RunGuard

    after_step = RunGuard.on_train_batch_end

    def start_and_go_on(self, *args, **kwargs):
        RunGuard.on_train_batch_end = after_step
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        after_step(self, *args, **kwargs)

    RunGuard.on_train_batch_end = start_and_go_on


def die_while_writing_state(epoch: int) -> None:
    """Makes this process kill itself half-way through writing the state of `epoch`."""
    from training import state

    write = state.write_atomically

    def write_or_die(path, data):
        if path.name.startswith(f"state-{epoch:05d}-"):
            path.with_name(f".{path.name}.partial").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, data)

    state.write_atomically = write_or_die


def fill_the_disk_at(epoch: int, until: int | None = None) -> None:
    """No file of this process can grow beyond 1000 bytes while the state of `epoch` is written."""
    import resource

    from training import state

    write = state.write_atomically

    def write_or_fail(path, data):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if any(path.name.startswith(f"state-{e:05d}-") for e in range(epoch, until or epoch + 1)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            write(path, data)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    state.write_atomically = write_or_fail


def fill_the_disk_from(epoch: int) -> None:
    """`fill_the_disk_at` this and all later epochs."""
    fill_the_disk_at(epoch, until=1000)


def main(arguments: list[str]) -> int:
    install()
    name, _, number = os.environ.get("ZOO_TEST", "").partition(" ")
    if name in globals():  # a call of this module
        globals()[name](int(number))
    from training import train

    return train.main([*arguments, "--data-dir", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
