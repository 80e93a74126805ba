"""The compiled model of a training step: preparation on the device, then the network."""

import keras

import zoo
from training.augment import Prepare
from training.engines.engine import Engine
from training.optimizer import optimizer
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.classification.schedule import rate
from training.tasks.model import model_class, synchronize
from zoo.errors import ZooError
from zoo.models.policy import dtype_policy
from zoo.models.transfer import copy_weights


def prepare_layer(recipe: ClassificationRecipe) -> Prepare:
    """The preparation of images that a recipe asks for."""
    return Prepare(
        recipe.preprocess,
        flip=recipe.flip,
        crop=recipe.crop,
        jitter=recipe.jitter,
        lighting=recipe.lighting,
        name="prepare",
    )


def build(
    recipe: ClassificationRecipe,
    labels: tuple[str, ...],
    dtype: str,
    updates_per_epoch: int,
    engine: Engine,
):
    """The compiled model, {"image": raw pixels, "draws": random numbers} -> logits.

    Args:
        recipe: what to train.
        labels: names of the classes.
        dtype: of the raw pixels.
        updates_per_epoch: for the schedule.
        engine: built within its scope, with the statistics of batch norms over the whole batch.

    Raises:
        ZooError: `recipe.weights` do not fit.
    """
    with dtype_policy(recipe.dtype), engine.scope():
        return _build(recipe, labels, dtype, updates_per_epoch, engine)


def _build(
    recipe: ClassificationRecipe,
    labels: tuple[str, ...],
    dtype: str,
    updates_per_epoch: int,
    engine: Engine,
):
    size = (None, None) if recipe.sizes else recipe.preprocess.size
    shape = (*size, recipe.preprocess.channels)
    network = zoo.create(
        recipe.model,
        input_shape=shape,
        num_classes=len(labels),
        activation=None,  # logits: a loss of probabilities loses the gradient of very small ones
        **recipe.model_args,
    )
    if recipe.weights:
        take_weights(network, recipe, labels)
    synchronize(network, engine)
    prepare = prepare_layer(recipe)
    inputs = {"image": keras.Input(shape, dtype=dtype, name="image")}
    if prepare.draws:
        inputs["draws"] = keras.Input((prepare.draws,), dtype="float32", name="draws")
    outputs = network(prepare(inputs["image"], inputs.get("draws")))
    trainer = model_class(engine)(inputs, outputs, name="trainer")
    trainer.compile(
        optimizer=optimizer(recipe, rate(recipe, updates_per_epoch * recipe.accumulate)),
        **losses(recipe),
        # "auto" would compile with XLA on TensorFlow, long, and for nothing on a CPU.
        jit_compile=keras.backend.backend() == "jax",
    )
    trainer.optimizer.build(trainer.trainable_variables)  # so that a state can be put into it
    return trainer


def losses(recipe: ClassificationRecipe) -> dict:
    """Loss and metrics of logits, for `compile`; accuracy is that of the greatest probability.

    Weighted: the images that fill up the last batch of an evaluation weigh nothing.
    """
    if recipe.soft_labels:
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        )
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        entropy = keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        entropy = keras.metrics.SparseCategoricalCrossentropy(
            from_logits=True, name="cross_entropy"
        )
    return {"loss": loss, "weighted_metrics": [accuracy, entropy]}


def take_weights(
    network: keras.Model, recipe: ClassificationRecipe, labels: tuple[str, ...]
) -> None:
    """Gives a network the weights of `recipe.weights`; its head stays fresh for other `labels`.

    Raises:
        ZooError: the checkpoint is of another architecture, or of other options. Nothing was
            changed.
    """
    source = zoo.load(recipe.weights)
    card = source.zoo_card
    if card.architecture != recipe.model:
        raise ZooError(
            f"weights must be of {recipe.model}. Received: {recipe.weights}, of {card.architecture}"
        )
    fresh = {"modulation"}  # counts steps, and checkpoints have none of it
    if card.labels != labels:
        fresh |= set(card.head)
    try:
        copy_weights(source, network, but=fresh, name=recipe.weights)
    except ZooError as error:
        raise ZooError(
            f"{error} It was built with {dict(card.args)}, {recipe.model} here with "
            f"model_args={dict(recipe.model_args)}: give the recipe the same model_args."
        ) from None
