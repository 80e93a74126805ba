"""What one image costs in a detector, part by part."""

import math

import keras

from zoo.models import cost


def multiply_adds_of_parts(detector: keras.Model, training: bool = False) -> dict[str, int]:
    """Multiply-adds of the convolutions and dense layers of a detector for one image.

    The heads run for every region of their sample: where objects are detected, the box head for
    every proposal and the mask head for every detection; in training, for the regions that they
    learn from. What reads regions and compares boxes is left out. Nothing is run: a model without
    values will do.

    Args:
        detector: a `zoo.detection.MaskRCNN`.
        training: bool, whether to count a training step's forward pass.

    Returns:
        "backbone", "fpn", "rpn", "box_head" and, where there is one, "mask_head" -> int.

    Example:

    >>> import zoo
    >>> detector = zoo.create("mask_rcnn_plainnet20", width=4, input_shape=(64, 64, 3))
    >>> list(multiply_adds_of_parts(detector))
    ['backbone', 'fpn', 'rpn', 'box_head', 'mask_head']
    """
    kernels = [layer.kernel for layer in detector.rpn.layers if hasattr(layer, "kernel")]
    anchors_of_place = detector.rpn.output[0].shape[-1]
    places = sum(map(len, detector.anchors)) // anchors_of_place
    options = detector.options
    if training:
        regions, masks = options["roi_samples"], detector.mask_samples
    else:
        regions, masks = options["proposals"], options["detections"]
    parts = {
        "backbone": cost.multiply_adds(detector.backbone),
        "fpn": cost.multiply_adds(detector.fpn),
        "rpn": places * sum(math.prod(kernel.shape) for kernel in kernels),
        "box_head": regions * cost.multiply_adds(detector.box_head),
    }
    if detector.mask_head is not None:
        parts["mask_head"] = masks * cost.multiply_adds(detector.mask_head)
    return parts
