"""What one image costs in a detector, part by part."""

import math

import keras

from zoo.detection.mask_rcnn import RATIOS, MaskRCNN
from zoo.models import cost


def multiply_adds_of_parts(model: MaskRCNN) -> dict[str, int]:
    """Multiply-adds of the convolutions and dense layers for one image, where objects are
    detected: the box head runs for every proposal, the mask head for every detection.

    What reads regions and compares boxes is left out.

    Example:

    >>> multiply_adds_of_parts(zoo.create("mask_rcnn_seqnet50"))["backbone"]
    """
    places = sum(map(len, model.anchors)) // len(RATIOS)
    kernels = [layer.kernel for layer in model.rpn.layers if isinstance(layer, keras.layers.Conv2D)]
    parts = {
        "backbone": cost.multiply_adds(model.backbone),
        "fpn": cost.multiply_adds(model.fpn),
        "rpn": places * sum(math.prod(kernel.shape) for kernel in kernels),
        "box_head": model.options["proposals"] * cost.multiply_adds(model.box_head),
    }
    if model.mask_head is not None:
        parts["mask_head"] = model.options["detections"] * cost.multiply_adds(model.mask_head)
    return parts
