"""Detectors by name: Mask R-CNN on every backbone of the zoo."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from zoo.detection.mask_rcnn import MaskRCNN
from zoo.errors import ZooError
from zoo.models.arguments import ARGUMENTS
from zoo.models.deferred import build_without_values, fill
from zoo.models.registry import Variant, create, find, variants

PAPER = (
    "He, Gkioxari, Dollár, Girshick: Mask R-CNN. ICCV 2017. On SeqNet and ResNet in Hu: "
    "Revisiting Exploding Gradient: A Ghost That Never Leaves. 2021, table 2"
)

# Average precision on COCO val2017 (table 2): norm, iterations, boxes, masks.
PUBLISHED = {
    "seqnet50": "COCO box AP 40.6, mask AP 36.0 (270k iterations; 39.8 and 35.3 with 180k)",
    "resnet50": "COCO box AP 38.6, mask AP 34.5 (180k iterations, batch normalization frozen)",
}

# Of classifiers: they are for what comes behind the levels.
_HEAD = {"num_classes", "activation", "features", "units", "dropout"}


@dataclass(frozen=True)
class Detector(Variant):
    """A row whose options are the detector's and its backbone's, `args["backbone"]`."""

    @property
    def options(self) -> dict[str, Any]:
        body = find(self.args["backbone"]).options
        return {
            **_own_options(),
            **{name: value for name, value in body.items() if name not in _HEAD},
            "input_shape": inspect.signature(mask_rcnn).parameters["input_shape"].default,
        }


def mask_rcnn(
    backbone: str,
    *,
    input_shape: tuple[int, int, int] = (512, 512, 3),
    name: str = "mask_rcnn",
    **options: Any,
) -> MaskRCNN:
    """`zoo.detection.MaskRCNN` on an architecture of the zoo.

    Args:
        backbone: name of an architecture that gives features.
        input_shape: (H, W, C) of the preprocessed image, H and W multiples of 64.
        name: of the model.
        **options: of `MaskRCNN` and of the backbone, `zoo info mask_rcnn_…` lists them;
            `weight_decay` holds for both, by default as the backbone has it.

    Returns:
        The model, with fresh weights.

    Raises:
        ZooError: an argument does not fit.

    Example:

    >>> model = mask_rcnn("seqnet50", num_classes=5, head_norm="group")
    """
    if None in input_shape:
        raise ZooError(f"{name}: input_shape must be given in full. Received: {input_shape}")
    body = find(backbone).options
    own = {k: v for k, v in options.items() if k in _own_options()}
    body_options = {k: v for k, v in options.items() if k in body and k not in _HEAD}
    decay = options.get("weight_decay", body["weight_decay"])
    model = create(backbone, features=True, input_shape=input_shape, **body_options)
    return MaskRCNN(model, **own | {"weight_decay": decay}, name=name)


def body_of(variant: Variant, checkpoint: str | os.PathLike) -> tuple[keras.Model, dict[str, Any]]:
    """The body of a checkpoint for a detector, and the options that a detector must have for it.

    Args:
        variant: of the detector.
        checkpoint: anything that `zoo.load` takes, of the detector's own backbone.

    Raises:
        ZooError: the variant is no detector, or the checkpoint is of another architecture.
    """
    from zoo.hub.index import load  # which imports the registry

    wanted = variant.args.get("backbone")
    if wanted is None:
        raise ZooError(f"{variant.name} is no detector: it takes no backbone_weights.")
    body = load(checkpoint, features=True)
    card = body.zoo_card
    if card.architecture != wanted:
        raise ZooError(
            f"{variant.name}: backbone_weights must be of {wanted}. "
            f"Received: {card.name}, of {card.architecture}"
        )
    taken = variant.options.keys() - {"input_shape"}
    return body, {name: value for name, value in card.args.items() if name in taken}


def create_on(
    variant: Variant, checkpoint: str | os.PathLike, options: Mapping[str, Any]
) -> MaskRCNN:
    """A detector whose backbone has the weights and the options of a checkpoint.

    Args:
        variant, checkpoint: as for `body_of`.
        options: of the detector; those of the backbone are the checkpoint's where not given.

    Raises:
        ZooError: as `body_of`, or for options that need other weights.
    """
    body, of_body = body_of(variant, checkpoint)
    model = build_without_values(lambda: create(variant.name, **of_body | options))
    given = {v.path: v for v in body.weights}
    wanted = {v.path: tuple(v.shape) for v in model.backbone.weights}
    for path in (*wanted, *given):
        shapes = wanted.get(path), tuple(given[path].shape) if path in given else None
        if shapes[0] != shapes[1]:
            raise ZooError(
                f"backbone_weights must have {path} of shape {shapes[0]}. Received: {shapes[1]}"
            )
    fill(model, {path: keras.ops.convert_to_numpy(v.value) for path, v in given.items()})
    return model


def _own_options() -> dict[str, Any]:
    """Arguments of `MaskRCNN` that a user may give, with their defaults."""
    parameters = inspect.signature(MaskRCNN.__init__).parameters
    return {name: p.default for name, p in parameters.items() if name in ARGUMENTS}


VARIANTS = [
    Detector(
        f"mask_rcnn_{name}",
        mask_rcnn,
        {"backbone": name},
        paper=PAPER,
        published=PUBLISHED.get(name, ""),
    )
    for name, backbone in variants().items()
    if "features" in backbone.options
]
