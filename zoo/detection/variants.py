"""Detectors by name: Mask R-CNN on every backbone of the zoo."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zoo.detection.mask_rcnn import MaskRCNN, own_options
from zoo.errors import ZooError
from zoo.models.options import InputShape, Option, read_options
from zoo.models.variant import Variant

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


@dataclass(frozen=True, kw_only=True)
class Detector(Variant):
    """A row whose options are the detector's and its backbone's.

    Attributes:
        backbone: `Variant` whose features the detector reads.
    """

    backbone: Variant
    task: Literal["classification", "detection"] = field(default="detection", init=False)

    @property
    def signature(self) -> dict[str, Option]:
        body = self.backbone.signature
        return {
            **own_options(),
            **{name: option for name, option in body.items() if name not in _HEAD},
            **read_options(mask_rcnn, ("backbone", "name", "options")),
        }

    def construct(self, args: Mapping[str, Any], name: str) -> MaskRCNN:
        return mask_rcnn(self.backbone, **args, name=name)


def mask_rcnn(
    backbone: Variant,
    *,
    input_shape: InputShape = (512, 512, 3),
    name: str = "mask_rcnn",
    **options: Any,
) -> MaskRCNN:
    """`zoo.detection.MaskRCNN` on an architecture of the zoo.

    Args:
        backbone: `Variant` of an architecture that gives features.
        input_shape: tuple of int, (H, W, C) of the preprocessed image, H and W multiples of 64.
        name: str, of the model.
        **options: those of `MaskRCNN` and of the backbone, `zoo info mask_rcnn_…` lists them;
            `weight_decay` holds for both, by default as the backbone has it.

    Returns:
        `MaskRCNN` with fresh weights.

    Raises:
        ZooError: an argument does not fit.

    Example:

    >>> backbone = zoo.registry.find("plainnet20")
    >>> mask_rcnn(backbone, input_shape=(64, 64, 3), width=4, fpn_filters=8).name
    'mask_rcnn'
    """
    if None in input_shape:
        raise ZooError(f"{name}: input_shape must be given in full. Received: {input_shape}")
    body = backbone.options
    own = {k: v for k, v in options.items() if k in own_options()}
    body_options = {k: v for k, v in options.items() if k in body and k not in _HEAD}
    decay = options.get("weight_decay", body["weight_decay"])
    model = backbone.build(features=True, input_shape=input_shape, **body_options)
    return MaskRCNN(model, **own | {"weight_decay": decay}, name=name)


def detectors_on(backbones: Iterable[Variant]) -> list[Detector]:
    """A detector on each of the variants that gives features.

    Args:
        backbones: iterable of `Variant`.

    Returns:
        List of `Detector`.

    Example:

    >>> [row.name for row in detectors_on([zoo.registry.find("seqnet50")])]
    ['mask_rcnn_seqnet50']
    """
    return [
        Detector(
            f"mask_rcnn_{backbone.name}",
            mask_rcnn,
            backbone=backbone,
            paper=PAPER,
            published=PUBLISHED.get(backbone.name, ""),
        )
        for backbone in backbones
        if "features" in backbone.options
    ]
