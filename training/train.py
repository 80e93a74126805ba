"""Training program: `python -m training.train RECIPE [key=value …] --data-dir DATA`.

Everything goes to one run folder; the same command after a crash, a kill or a SIGTERM goes on from
the last state, in the middle of an epoch too, and ends with the weights of an uninterrupted run.
"""

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from training import engines, machine
from training import recipe as recipes
from training.detection.recipe import DetectionRecipe
from training.engines import Engine, Options
from training.recipe import Recipe


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    from zoo.errors import ZooError

    if arguments.list:
        from training import costs

        print(costs.listing(arguments.recipe or "*"))
        return 0
    from training.loop import Diverged, Stopped

    run = Path(arguments.run or f"runs/{arguments.recipe}")
    try:
        recipe = recipes.override(recipes.find(arguments.recipe), arguments.settings)
        if isinstance(recipe, DetectionRecipe):
            from training.detection.train import train as run_it
        else:
            run_it = functools.partial(train, download=arguments.download)
        run_it(
            recipe,
            run,
            arguments.data_dir,
            name=arguments.recipe,
            options=engines.options(arguments),
            minutes=arguments.checkpoint_minutes,
            tensorboard=arguments.tensorboard,
        )
    except (ZooError, OSError) as error:
        print(f"training.train: {error}", file=sys.stderr)
        return 1
    except Diverged as error:
        print(
            f"training.train: {error}. {run / 'diverged.json'} tells which weights grew and "
            "how signals flow. Choose another --run with, e.g., a lower learning_rate.",
            file=sys.stderr,
        )
        return 3
    except Stopped as error:
        print(f"training.train: stopped {error}; the same command goes on.", file=sys.stderr)
        return 128 + 15
    except Exception as error:
        sign = engines.sign_of_a_lost_process(error)
        if not (sign and engines.several(engines.options(arguments))):
            raise
        print(
            f"training.train: another process of this training has gone ({sign[:300]}). "
            f"Start all of them again with the same commands: they go on from the last state in "
            f"{run}.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(75)  # an orderly exit would wait for the one that has gone
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("recipe", nargs="?", help="name of a recipe; see --list")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes to the recipe")
    parser.add_argument("--list", action="store_true", help="list recipes (of a pattern) and stop")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--run", help="run folder (default: runs/RECIPE)")
    parser.add_argument("--download", action="store_true", help="fetch data that is missing")
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=15,
        help="between states within an epoch (default: %(default)s); each epoch ends with one",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events, too")
    engines.add_arguments(parser)
    arguments = parser.parse_intermixed_args(argv)
    if not arguments.list and not arguments.recipe:
        parser.error("name a recipe, or --list")
    return arguments


def train(
    recipe: Recipe,
    run: Path,
    data_dir: str,
    *,
    name: str = "custom",
    download: bool = False,
    options: Options = Options(),  # noqa: B008 (frozen)
    minutes: float = 15,
    tensorboard: bool = False,
) -> dict:
    """Trains `recipe` in the folder `run`, or goes on with what is there.

    Returns:
        The measured metrics of the finished checkpoint, `run/checkpoint`; {} in all processes of
        a training but the first.
    """
    if tensorboard:
        from training import log

        log.events_writer()  # its absence is told now
    engine = engines.start(options)
    engines.check(engine, recipe)
    import keras

    import zoo
    from training import finish, loop, signals, state
    from training.data import read
    from training.data.holdout import hold_out
    from training.data.pipeline import Batches, Share, evaluation
    from training.trainer import build, prepare_layer

    if engine.chief:
        describe(recipe, run, name, engine)
    train_set = read(recipe.data, "train", data_dir, download=download)
    if recipe.holdout:
        train_set, test_set = hold_out(train_set, recipe.holdout)
    else:
        test_set = read(recipe.data, "test", data_dir, download=download)
    recipe = dataclasses.replace(recipe, preprocess=preprocessing(recipe, train_set))
    share = Share(engine.parts, engine.mine, engine.devices)
    draws = prepare_layer(recipe).draws
    data = Batches(
        train_set,
        recipe.batch_size // recipe.accumulate,
        recipe.seed,
        draws,
        recipe.preprocess if recipe.resized_crop else None,
        share,
        sides=recipe.sides,
        mixup=recipe.mixup,
        cutmix=recipe.cutmix,
        soft=recipe.soft_labels,
    )
    updates = len(train_set.y) // recipe.batch_size

    keras.utils.set_random_seed(recipe.seed)
    raw = "uint8" if recipe.resized_crop else str(getattr(train_set.x, "dtype", "uint8"))
    trainer = build(recipe, train_set.labels, raw, updates, engine)
    callbacks: list = []
    average = None
    if recipe.modulation_steps:
        callbacks.append(zoo.callbacks.ModulationCallback(recipe.modulation_steps))
    if recipe.average:
        # Called after every pass, of which an update may take several.
        average = zoo.callbacks.WeightAverage(
            recipe.average ** (1 / recipe.accumulate), every=recipe.accumulate, apply_at_end=False
        )
        average.set_model(trainer)
        callbacks.append(average)
    if recipe.signals_every:
        callbacks.append(signals.monitor(recipe, run, train_set))
    position, metrics = state.restore_state(run, trainer, average.variables if average else [])
    if not engine.agree(position.epoch * 10**6 + position.step):
        raise zoo.errors.ZooError(
            f"The processes find different states in {run}. It must be one folder for all of them."
        )
    if engine.chief:
        print(f"{engine.devices} device(s), {engine.processes} process(es): {machine.device()}")
        print(f"Input pipeline alone: {data.images_per_second():,.0f} images/s", flush=True)
        if position.epoch or position.step:
            where = f"epoch {position.epoch}" + (f", step {position.step}" * bool(position.step))
            print(f"Going on after {where} of {recipe.epochs} epochs in {run}.", flush=True)

    def validate(epoch: int) -> dict:
        every = recipe.validate_every
        if not every or (epoch % every and epoch != recipe.epochs):
            return {}
        batches, steps = evaluation(
            test_set,
            recipe.preprocess,
            draws,
            share,
            data.size,
            recipe.pipeline,
            soft=recipe.soft_labels,
        )
        with average.swap() if average else contextlib.nullcontext():
            figures = trainer.evaluate(
                engine.distribute(batches), steps=steps, verbose=0, return_dict=True
            )
        del figures["loss"]  # with regularizers, and the filled-up images counted
        if engine.chief:
            print(f"  {recipe.measured_on}: {figures}", flush=True)
        return {f"{recipe.measured_on}_{key}": value for key, value in figures.items()}

    history = loop.train(
        trainer,
        run,
        position,
        metrics,
        epochs=recipe.epochs,
        steps=updates * recipe.accumulate,
        data=lambda epoch, first: engine.distribute(data.epoch(epoch, first, recipe.pipeline)),
        validate=validate,
        batch_size=data.size,
        callbacks=callbacks,
        average=average,
        chief=engine.chief,
        # There, whoever reads a metric adds it up over all workers, who do not join in.
        metrics_too=engine.name != "multiworker",
        minutes=minutes,
        tensorboard=tensorboard,
        sample=(lambda epoch, step: data.batch(data.order(epoch), epoch, step, 0))
        if engine.devices == engine.processes == 1
        else None,
    )
    if average:
        average.apply()
    engine.end()
    if not engine.chief:
        return {}
    return finish.finish(recipe, run, trainer, train_set, test_set, history)


def preprocessing(recipe: Recipe, train_set):
    """The recipe's `Preprocess`, with the statistics of each pixel where it asks for them."""
    import numpy as np

    from zoo.errors import ZooError

    how = recipe.preprocess
    fits = recipe.resized_crop or not isinstance(train_set.x, np.ndarray)
    if not fits and train_set.x.shape[1:3] != tuple(how.size):
        raise ZooError(
            f"The pictures of {recipe.data} have {train_set.x.shape[1:3]} pixels, the model takes "
            f"{tuple(how.size)}."
        )
    if not recipe.per_pixel:
        return how
    from training.data.statistics import per_pixel

    mean, std = per_pixel(train_set)
    return dataclasses.replace(
        how,
        mean=tuple((mean * how.scale).ravel().tolist()),
        std=tuple((std * how.scale).ravel().tolist()),
    )


def describe(recipe: Recipe, run: Path, name: str, engine: Engine) -> None:
    """Writes `run.json`: what runs here. A folder of another recipe is refused."""
    import keras
    import numpy as np

    from zoo.errors import ZooError
    from zoo.files import write_atomically

    run.mkdir(parents=True, exist_ok=True)
    about = {
        "name": name,
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
        "settings": recipes.settings(name, recipe),
        "commit": _commit(),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version(), "keras": keras.__version__}
        | {"numpy": np.__version__},
        "device": machine.device(),
        "devices": engine.devices,
        "processes": engine.processes,
        "strategy": engine.name,
        "command": shlex.join([f"KERAS_BACKEND={keras.backend.backend()}", *sys.orig_argv]),
    }
    path = run / "run.json"
    if path.exists():
        there = json.loads(path.read_text())
        # A field that is younger than the run had its default's meaning then.
        began = {**_defaults(type(recipe)), **there["recipe"]}
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


def _defaults(kind: type) -> dict:
    fields = dataclasses.fields(kind)
    given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    made = {f.name: f.default_factory() for f in fields if callable(f.default_factory)}
    return json.loads(json.dumps(given | made))


def _commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
