"""Training program: `python -m training.train RECIPE [key=value …] --data-dir DATA`.

Everything goes to one run folder; the same command after a crash or kill goes on from the last
finished epoch and ends with the weights of an uninterrupted run.
"""

import argparse
import dataclasses
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

from training import recipe as recipes
from training.recipe import Recipe


def main(argv: list[str] | None = None) -> int:
    from zoo.errors import ZooError

    arguments = parse(argv)
    if arguments.list:
        for name in recipes.names():
            print(f"{name:36s} {recipes.head(name).splitlines()[0]}")
        return 0
    try:
        recipe = recipes.override(recipes.find(arguments.recipe), arguments.settings)
        run = Path(arguments.run or f"runs/{arguments.recipe}")
        train(recipe, run, arguments.data_dir, name=arguments.recipe, download=arguments.download)
    except (ZooError, FileNotFoundError) as error:
        print(f"training.train: {error}", file=sys.stderr)
        return 1
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("recipe", nargs="?", help="name of a recipe; see --list")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes to the recipe")
    parser.add_argument("--list", action="store_true", help="list the recipes and stop")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--run", help="run folder (default: runs/RECIPE)")
    parser.add_argument("--download", action="store_true", help="fetch data that is missing")
    arguments = parser.parse_intermixed_args(argv)
    if not arguments.list and not arguments.recipe:
        parser.error("name a recipe, or --list")
    return arguments


def train(
    recipe: Recipe, run: Path, data_dir: str, *, name: str = "custom", download: bool = False
) -> dict:
    """Trains `recipe` in the folder `run`, or goes on with what is there.

    Returns:
        The measured metrics of the finished checkpoint, `run/checkpoint`.
    """
    import keras

    from training import state
    from training.data import read
    from training.data.pipeline import batches

    describe(recipe, run, name)
    train_set = read(recipe.data, "train", data_dir, download=download)
    test_set = read(recipe.data, "test", data_dir, download=download)

    keras.utils.set_random_seed(recipe.seed)
    previous_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype)
    try:
        trainer = build(recipe, train_set)
    finally:
        keras.config.set_dtype_policy(previous_policy)
    first_epoch, history = state.restore_state(run, trainer)
    if first_epoch:
        print(f"Going on after epoch {first_epoch} of {recipe.epochs} in {run}.", flush=True)
    if first_epoch < recipe.epochs:
        trainer.fit(
            batches(
                train_set,
                recipe.batch_size,
                recipe.seed,
                first_epoch,
                recipe.epochs,
                recipe.pipeline,
            ),
            steps_per_epoch=len(train_set.y) // recipe.batch_size,
            shuffle=False,  # the pipeline does, by seed and epoch
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            callbacks=[*_modulation(recipe), _run_log(run, history, recipe, test_set)],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    from training import finish

    return finish.finish(recipe, run, trainer, train_set, test_set, history)


def build(recipe: Recipe, train_set):
    """The compiled model of a training step: preparation on the device, then the network."""
    import keras

    import zoo
    from training.augment import Prepare

    how = recipe.preprocess
    network = zoo.create(
        recipe.model,
        input_shape=(*how.size, how.channels),
        num_classes=len(train_set.labels),
        activation=None,  # logits: a loss of probabilities loses the gradient of very small ones
        **recipe.model_args,
    )
    image = keras.Input(train_set.x.shape[1:], dtype=str(train_set.x.dtype), name="raw_image")
    prepare = Prepare(how, recipe.flip, recipe.crop, recipe.seed, name="prepare")
    trainer = keras.Model(image, network(prepare(image)), name="trainer")
    trainer.compile(
        optimizer=zoo.optimizers.SGD(
            rate(recipe, len(train_set.y) // recipe.batch_size),
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            multipliers=dict(recipe.multipliers),
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # "auto" would compile with XLA on TensorFlow, long, and for nothing on a CPU.
        jit_compile=keras.backend.backend() == "jax",
    )
    trainer.optimizer.build(trainer.trainable_variables)  # so that a state can be put into it
    return trainer


def rate(recipe: Recipe, steps_per_epoch: int):
    """Learning rate as a function of the step."""
    import keras

    steps = recipe.epochs * steps_per_epoch
    schedules = keras.optimizers.schedules
    if recipe.schedule == "cosine":
        warmup = recipe.warmup_epochs * steps_per_epoch
        return schedules.CosineDecay(
            0.0 if warmup else recipe.learning_rate,
            max(steps - warmup, 1),
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    if recipe.schedule == "steps":
        r = recipe.learning_rate
        return schedules.PiecewiseConstantDecay([steps // 2, steps * 3 // 4], [r, r / 10, r / 100])
    if recipe.schedule == "constant":
        return recipe.learning_rate
    from zoo.errors import ZooError

    raise ZooError(f"schedule must be cosine, steps or constant. Received: {recipe.schedule!r}")


def describe(recipe: Recipe, run: Path, name: str) -> None:
    """Writes `run.json`: what runs here. A folder of another recipe is refused."""
    import keras
    import numpy as np

    from training.state import write_atomically
    from zoo.errors import ZooError

    run.mkdir(parents=True, exist_ok=True)
    about = {
        "name": name,
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
        "settings": recipes.settings(name, recipe),
        "commit": _commit(),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version(), "keras": keras.__version__}
        | {"numpy": np.__version__},
        "device": _device(),
    }
    path = run / "run.json"
    if path.exists():
        there = json.loads(path.read_text())
        # A field that is younger than the run had its default's meaning then.
        began = {**_defaults(), **there["recipe"]}
        changed = [key for key, value in about["recipe"].items() if began.get(key) != value]
        if there["backend"] != about["backend"]:
            changed.append("backend")
        if changed:
            raise ZooError(
                f"{run} holds a training with other settings ({', '.join(changed)}). "
                "Give the settings it began with, or another --run."
            )
        return
    write_atomically(path, json.dumps(about, indent=2).encode())


def _defaults() -> dict:
    fields = dataclasses.fields(Recipe)
    given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    made = {f.name: f.default_factory() for f in fields if callable(f.default_factory)}
    return given | made


def _modulation(recipe: Recipe) -> list:
    if not recipe.modulation_steps:
        return []
    import zoo

    return [zoo.callbacks.ModulationCallback(recipe.modulation_steps)]


def _run_log(run: Path, history: list[dict], recipe: Recipe, test_set):
    """Callback: after each epoch, validation when due, the log, then the state."""
    import keras

    from training import state
    from training.log import write_log

    class RunLog(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds = time.perf_counter() - self.began
            row = {"epoch": epoch + 1, "learning_rate": float(self.model.optimizer.learning_rate)}
            row |= {"seconds": round(seconds, 2)}
            row |= {key: float(value) for key, value in (logs or {}).items()}
            row["images_per_second"] = round(self.params["steps"] * recipe.batch_size / seconds)
            if recipe.validate_every and (
                (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == recipe.epochs
            ):
                measured = self.model.evaluate(
                    test_set.x, test_set.y, batch_size=500, verbose=0, return_dict=True
                )
                row |= {f"test_{key}": float(value) for key, value in measured.items()}
                print(f"  test: {measured}", flush=True)
            history.append(row)
            write_log(run, history)
            state.save_state(run, self.model, epoch + 1, history)

    return RunLog()


def _commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"


def _device() -> str:
    import os

    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


if __name__ == "__main__":
    sys.exit(main())
