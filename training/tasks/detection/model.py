"""The training of a detector, called by `training.train`."""

from pathlib import Path

import keras

import zoo
from training import engines, machine
from training.detection.data import Batches, learned_from, read
from training.detection.finish import finish
from training.detection.network import network
from training.detection.recipe import DetectionRecipe
from training.detection.validation import Validation
from training.engines import Engine, Options
from training.optimizer import falling
from training.trainer import synchronize
from zoo.errors import ZooError


@keras.saving.register_keras_serializable("zoo_training")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, whose rate rises linearly from a thousandth in the first `steps`."""

    def __init__(self, schedule, steps: int):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        part = keras.ops.minimum(keras.ops.cast(step, "float32") / max(self.steps, 1), 1.0)
        return self.schedule(step) * (0.001 + 0.999 * part)

    def get_config(self):
        return {"schedule": self.schedule, "steps": self.steps}


def build(recipe: DetectionRecipe, labels: tuple[str, ...], engine: Engine) -> keras.Model:
    """The compiled detector for these classes, within the engine's scope."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype)
    try:
        with engine.scope():
            model = network(recipe, labels)
            synchronize(model, engine)
            if engine.name == "multiworker":
                from training.engines.multiworker import MultiWorkerModel

                # The zoo makes detectors of its own class; what differs is the steps of `fit`.
                model.__class__ = type("MaskRCNN", (MultiWorkerModel, type(model)), {})
            model.compile(
                zoo.optimizers.SGD(
                    rate(recipe),
                    momentum=recipe.momentum,
                    global_clipnorm=recipe.clip_norm or None,
                ),
                jit_compile=keras.backend.backend() == "jax",
            )
            model.optimizer.build(model.trainable_variables)
            return model
    finally:
        keras.config.set_dtype_policy(policy)


def rate(recipe: DetectionRecipe) -> WarmUp:
    """The learning rate by step."""
    falls = falling(recipe.learning_rate, recipe.drops, recipe.steps)
    return WarmUp(falls, recipe.warmup_steps)


def train(
    recipe: DetectionRecipe,
    run: Path,
    data_dir: str,
    *,
    name: str = "custom",
    options: Options = Options(),  # noqa: B008 (frozen)
    minutes: float = 15,
    tensorboard: bool = False,
) -> dict:
    """Trains `recipe` in the folder `run`, or goes on with what is there.

    Returns:
        The average precisions of the finished checkpoint, `run/checkpoint`; {} in all processes
        of a training but the first.

    Raises:
        ZooError: settings that do not fit each other, the data or the engine.
    """
    if recipe.round < 1 or recipe.steps % recipe.round:
        raise ZooError(
            f"steps must be a multiple of round. Received: steps={recipe.steps}, "
            f"round={recipe.round}"
        )
    if tensorboard:
        from training import log

        log.events_writer()
    engine = engines.start(options)
    engines.check(engine, recipe)
    from training import loop, state
    from training.data.pipeline import Share
    from training.train import describe

    if engine.chief:
        describe(recipe, run, name, engine)
    photos = learned_from(read(recipe.data, "train", data_dir), recipe.limit)
    measured = photos
    if recipe.validation != "train":
        measured = read(recipe.data, recipe.validation, data_dir)
    data = Batches(photos, recipe, Share(engine.parts, engine.mine, engine.devices))

    keras.utils.set_random_seed(recipe.seed)
    model = build(recipe, photos.labels, engine)
    position, metrics = state.restore_state(run, model)
    validation = Validation(recipe, run, measured, engine, options.timeout)
    validation.forget()  # before the processes meet
    if not engine.agree(position.epoch * 10**6 + position.step):
        raise ZooError(
            f"The processes find different states in {run}. It must be one folder for all of them."
        )
    if engine.chief:
        print(f"{engine.devices} device(s), {engine.processes} process(es): {machine.device()}")
        print(f"{len(photos)} photos with objects in {len(photos.labels)} classes")
        print(f"Input pipeline alone: {data.images_per_second():,.1f} images/s", flush=True)

    history = loop.train(
        model,
        run,
        position,
        metrics,
        epochs=recipe.steps // recipe.round,
        steps=recipe.round,
        data=lambda turn, first: engine.distribute(
            data.steps(turn * recipe.round + first, (turn + 1) * recipe.round)
        ),
        validate=lambda done: {f"test_{key}": v for key, v in validation(model, done).items()},
        batch_size=recipe.batch_size,
        callbacks=[],
        chief=engine.chief,
        metrics_too=engine.name != "multiworker",
        minutes=minutes,
        tensorboard=tensorboard,
    )
    engine.end()
    if not engine.chief:
        return {}
    return finish(recipe, run, model, measured, history, len(photos))
