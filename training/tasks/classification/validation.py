"""The accuracy of a classifier while it is trained."""

import keras

from training.data import Images
from training.data.pipeline import Share, evaluation
from training.engines.engine import Engine
from training.tasks.classification.model import prepare_layer
from training.tasks.classification.recipe import ClassificationRecipe


def validate(
    recipe: ClassificationRecipe, images: Images, engine: Engine, model: keras.Model, epoch: int
) -> dict[str, float]:
    """Accuracy and cross-entropy behind `epoch` epochs; {} where no evaluation is due."""
    every = recipe.validate_every
    if not every or (epoch % every and epoch != recipe.epochs):
        return {}
    batches, steps = evaluation(
        images,
        recipe.preprocess,
        prepare_layer(recipe).draws,
        Share(engine.parts, engine.mine, engine.devices),
        recipe.batch_size // recipe.accumulate,
        recipe.pipeline,
        soft=recipe.soft_labels,
    )
    figures = model.evaluate(engine.distribute(batches), steps=steps, verbose=0, return_dict=True)
    del figures["loss"]  # with regularizers, and the filled-up images counted
    if engine.chief:
        print(f"  {recipe.measured_on}: {figures}", flush=True)
    return figures
