"""What one photo costs a detector in training."""

import math

import keras

import zoo
from training.detection.recipe import DetectionRecipe
from zoo.detection.fpn import STRIDES
from zoo.detection.mask_rcnn import POSITIVE
from zoo.models.cost import multiply_adds as of_model
from zoo.models.deferred import build_without_values

CLASSES = 80  # where the photos alone tell


def multiply_adds(recipe: DetectionRecipe) -> int:
    """Multiply-adds of a forward pass in training: backbone, pyramid, and the heads on as many
    regions as they learn from."""
    options = {"input_shape": (*recipe.size, 3), "num_classes": CLASSES, **recipe.model_args}
    model = build_without_values(lambda: zoo.create(recipe.model, **options))
    height, width = recipe.size
    places = sum(height * width // stride**2 for stride in STRIDES)
    rois = model.options["roi_samples"]
    total = of_model(model.backbone) + of_model(model.fpn) + places * _kernels(model.rpn)
    total += rois * of_model(model.box_head)
    if model.mask_head is not None:
        total += int(rois * POSITIVE) * of_model(model.mask_head)
    keras.backend.clear_session()
    return total


def _kernels(head: keras.Model) -> int:
    """Multiply-adds at one place."""
    return sum(math.prod(v.shape) for v in head.weights if v.name == "kernel")
