"""A detector of a few thousand weights, and pictures with objects for it."""

import keras
import numpy as np
from keras import layers

from zoo.detection import MaskRCNN
from zoo.models.deferred import build_without_values, fill

SIZE, CLASSES, SLOTS = 64, 3, 300
TINY = {
    "num_classes": CLASSES,
    "fpn_filters": 8,
    "head_units": 16,
    "anchor_scale": 2,
    "pre_nms": 32,
    "proposals": 16,
    "roi_samples": 16,
    "detections": 6,
    "weight_decay": 0.0,
    "seed": 0,
}
LOSSES = {"rpn_score_loss", "rpn_box_loss", "class_loss", "box_loss", "mask_loss"}
BATCH_NORM = {f"norm{level}/{w}" for level in (2, 3, 4, 5) for w in ("gamma", "beta")} | {
    f"norm{level}/moving_{w}" for level in (2, 3, 4, 5) for w in ("mean", "variance")
}


def backbone(size=SIZE, decay=None):
    """A convolution and a batch normalization for each level."""
    inputs = x = keras.Input((size, size, 3), name="image")
    outputs = {}
    for level in (2, 3, 4, 5):
        stride = 4 if level == 2 else 2
        x = layers.Conv2D(
            6, 3, stride, "same", kernel_regularizer=decay, use_bias=False, name=f"conv{level}"
        )(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"norm{level}")(x))
        outputs[f"P{level}"] = x
    return keras.Model(inputs, outputs, name="body")


def values(model):
    """Weights that are the same on every backend, by the order of the names."""
    rng, arrays = np.random.default_rng(0), {}
    for v in sorted(model.weights, key=lambda v: v.path):
        fan_in = max(int(np.prod(v.shape[:-1])), 1)
        arrays[v.path] = rng.normal(0, np.sqrt(2 / fan_in), v.shape).astype("float32")
        if v.path.endswith(("gamma", "variance")):
            arrays[v.path] = np.ones(v.shape, "float32")
        if v.path.endswith(("beta", "mean", "bias")):
            arrays[v.path] = np.zeros(v.shape, "float32")
        if v.path.startswith(("rpn_deltas", "box_deltas")):
            arrays[v.path] *= 0.1
    return arrays


def make(decay=None, **options):
    model = build_without_values(lambda: MaskRCNN(backbone(decay=decay), **TINY | options))
    fill(model, values(model))
    return model


def images(n=2):
    return np.random.default_rng(1).normal(size=(n, SIZE, SIZE, 3)).astype("float32")


def example(*boxes_of_images, crowd=False):
    """A training input; the objects of an image in the slots from the first on."""
    n = len(boxes_of_images)
    x = {
        "image": images(n),
        "boxes": np.zeros((n, SLOTS, 4), "float32"),
        "labels": np.full((n, SLOTS), -1, "int32"),
        "crowd": np.zeros((n, SLOTS), "uint8"),
        "masks": np.zeros((n, SLOTS, 112, 112), "uint8"),
    }
    for i, boxes in enumerate(boxes_of_images):
        count = len(boxes)
        x["boxes"][i, :count] = np.reshape(boxes, (-1, 4))
        x["labels"][i, :count] = np.arange(count) % CLASSES
        x["crowd"][i, :count] = crowd
        x["masks"][i, :count, 30:90, 10:100] = 1
    return x


OBJECTS = [[5, 8, 35, 40], [30, 20, 62, 60]], [[10, 10, 20, 30]]
