"""Training program: `python -m training.train RECIPE [key=value …] --data-dir DATA`.

Everything goes to one run folder; the same command after a crash, a kill or a SIGTERM goes on from
the last state, in the middle of an epoch too, and ends with the weights of an uninterrupted run.
"""

import argparse
import contextlib
import dataclasses
import os
import sys
from pathlib import Path

import keras

import zoo
from training import costs, engines, log, loop, machine, run_folder, tasks
from training import recipe as recipes
from training.data.pipeline import Share
from training.diverged import Diverged, DivergenceCheck
from training.engines import Engine, Options
from training.guard import RunGuard, Stopped
from training.state import Position, RunState
from training.tasks.recipe import Recipe
from training.tasks.task import Batches, Data, Task
from zoo.errors import ZooError


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    if arguments.list:
        print(costs.listing(arguments.recipe or "*"))
        return 0
    run = Path(arguments.run or f"runs/{arguments.recipe}")
    options = engines.options(arguments)
    try:
        train(
            recipes.override(recipes.find(arguments.recipe), arguments.settings),
            run,
            arguments.data_dir,
            name=arguments.recipe,
            download=arguments.download,
            options=options,
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
        if not (sign and engines.several(options)):
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

    The folder begins only when all is known to fit: recipe, engine, data and weights.

    Returns:
        The measured metrics of the finished checkpoint, `run/checkpoint`; {} in all processes of
        a training but the first.

    Raises:
        ZooError: settings that do not fit each other, the data, the engine or the folder.
    """
    if tensorboard:
        log.events_writer()  # its absence is told now
    task = tasks.find(recipe.task)
    task.check(recipe)
    engine = engines.start(options)
    engines.check(engine, recipe)
    about = run_folder.describe(recipe, name, engine)
    run_folder.check(run, about, type(recipe))

    data = task.read(recipe, data_dir, download=download)
    recipe = dataclasses.replace(recipe, preprocess=data.preprocess)
    batches = task.batches(recipe, data, Share(engine.parts, engine.mine, engine.devices))
    keras.utils.set_random_seed(recipe.seed)
    model = task.build(recipe, data, engine)
    average = _average(recipe, model)
    callbacks = [*task.callbacks(recipe), *average, *_monitor(recipe, task, data, run)]
    if engine.chief:
        run_folder.begin(run, about, data.identity)

    state = RunState(
        run,
        model,
        [variable for own in average for variable in own.variables],
        # There, whoever reads a metric adds it up over all workers, who do not join in.
        metrics=engine.name != "multiworker",
    )
    position = state.restore()
    validation = task.validation(recipe, data, run, engine, options.timeout)
    if not engine.agree(position.epoch * 10**6 + position.step):
        raise ZooError(
            f"The processes find different states in {run}. It must be one folder for all of them."
        )
    if engine.chief:
        _tell(recipe, run, engine, batches, position)

    def validate(epoch: int) -> dict[str, float]:
        with contextlib.ExitStack() as stack:
            for own in average:
                stack.enter_context(own.swap())
            figures = validation(model, epoch)
        return {f"{recipe.measured_on}_{key}": value for key, value in figures.items()}

    alone = engine.devices == engine.processes == 1
    divergence = DivergenceCheck(state, chief=engine.chief, sample=batches.step if alone else None)
    guard = RunGuard(
        state, position, batches.steps, divergence, chief=engine.chief, minutes=minutes
    )
    history = loop.fit(
        model,
        batches,
        guard,
        engine,
        epochs=recipe.rounds,
        validate=validate,
        callbacks=callbacks,
        tensorboard=tensorboard,
    )
    for own in average:
        own.apply()
    engine.end()
    return task.finish(recipe, data, run, model, history) if engine.chief else {}


def _average(recipe: Recipe, model: keras.Model) -> list[zoo.callbacks.WeightAverage]:
    """The average of the weights, where a recipe asks for it."""
    if not recipe.average:
        return []
    # Called after every pass, of which an update may take several.
    average = zoo.callbacks.WeightAverage(
        recipe.average ** (1 / recipe.accumulate), every=recipe.accumulate, apply_at_end=False
    )
    average.set_model(model)
    return [average]


def _monitor(
    recipe: Recipe, task: Task, data: Data, run: Path
) -> list[zoo.callbacks.SignalMonitor]:
    """What writes the signals of the layers, where a recipe asks for them.

    A resumed training takes the steps of an uninterrupted one: whatever a probe costs, the period
    is the recipe's.
    """
    if not recipe.signals_every:
        return []
    inputs, targets = task.probe(recipe, data)
    return [
        zoo.callbacks.SignalMonitor(
            inputs, targets, every=recipe.signals_every, folder=run, budget=None
        )
    ]


def _tell(recipe: Recipe, run: Path, engine: Engine, batches: Batches, position: Position) -> None:
    print(f"{engine.devices} device(s), {engine.processes} process(es): {machine.device()}")
    print(f"Input pipeline alone: {batches.images_per_second():,.1f} images/s", flush=True)
    if position.epoch or position.step:
        where = f"epoch {position.epoch}" + (f", step {position.step}" * bool(position.step))
        print(f"Going on after {where} of {recipe.rounds} epochs in {run}.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
