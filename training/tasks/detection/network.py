"""The detector of a recipe, with the weights that it starts from."""

from typing import Any

import keras

import zoo
from training.tasks.detection.recipe import DetectionRecipe
from zoo.creation import load_body
from zoo.errors import ZooError
from zoo.models.transfer import copy_weights
from zoo.registry import find


def network(recipe: DetectionRecipe, labels: tuple[str, ...]) -> keras.Model:
    """The detector, for these classes."""
    if not recipe.weights:
        weights = recipe.backbone_weights or None
        return zoo.create(recipe.model, backbone_weights=weights, **_wanted(recipe, labels))
    args = arguments(recipe, labels)  # which refuses what does not fit
    if zoo.card(recipe.weights).labels == labels:
        model = zoo.load(recipe.weights)
    else:
        model = zoo.load(recipe.weights, num_classes=len(labels))
    if model.input_shape[1:] != tuple(args["input_shape"]):
        raise ZooError(
            f"size must be that of {recipe.weights}, {model.input_shape[1:3]}. "
            f"Received: size={recipe.size}"
        )
    return model


def copy_of(
    model: keras.Model,
    recipe: DetectionRecipe,
    labels: tuple[str, ...],
    copy: keras.Model | None = None,
) -> keras.Model:
    """The detector in float32, apart from what a training adds: `copy`, or a new one, with the
    weights of `model`."""
    copy = copy or zoo.create(recipe.model, **arguments(recipe, labels))
    copy_weights(model, copy)
    return copy


def arguments(recipe: DetectionRecipe, labels: tuple[str, ...]) -> dict[str, Any]:
    """What `zoo.create` builds the detector from, with the options that its weights bring.

    Raises:
        ZooError: the recipe contradicts its weights.
    """
    wanted = _wanted(recipe, labels)
    if not recipe.weights:
        if not recipe.backbone_weights:
            return wanted
        _, of_body = load_body(find(recipe.model), recipe.backbone_weights)
        return {**of_body, **wanted}
    if recipe.backbone_weights:
        raise ZooError("weights and backbone_weights exclude each other: a detector has both.")
    card = zoo.card(recipe.weights)
    brought = dict(card.args) | {"num_classes": len(labels)}
    changed = {k: v for k, v in wanted.items() if brought.get(k) != v and k != "input_shape"}
    if card.architecture != recipe.model or changed:
        raise ZooError(
            f"{recipe.weights} is a {card.architecture} with {brought}: give the recipe its model "
            f"and model_args. Received: {recipe.model} with {wanted}"
        )
    return brought


def _wanted(recipe: DetectionRecipe, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "input_shape": [*recipe.size, 3],
        "num_classes": len(labels),
        **recipe.model_args,
    }
