"""What the training of a detector consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.preprocessing import Preprocess


@dataclass(frozen=True)
class DetectionRecipe:
    """One training of a detector, completely. Every field but the last three can be set on the
    command line.

    Attributes:
        model: name of a detector, "mask_rcnn_BACKBONE".
        data: "coco2017", or a folder in COCO's format, see `zoo.detection.read_coco`.
        steps: updates.
        learning_rate: its peak.
        weights: checkpoint of the same detector to start from, as `zoo.load` takes it, with new
            heads where the classes are others; "" for none.
        backbone_weights: checkpoint whose weights the backbone starts from, as `zoo.load` takes
            it; "" for fresh ones.
        batch_size: photos per update, over all devices.
        clip_norm: greatest norm of the whole gradient; 0 for no limit.
        drops: parts of the training, in (0, 1), at which the rate falls to a tenth.
        warmup_steps: updates over which the rate rises linearly from a thousandth to its peak.
        momentum: of SGD.
        size: height and width in pixels of the canvas that a photo is scaled into; multiples of
            64.
        flip: whether half of the photos are mirrored.
        limit: the first so many photos alone; 0 for all.
        max_objects: objects of a photo that are looked at.
        round: updates between states, rows of the log, and validations.
        validate_every: rounds between evaluations on the validation photos, for the curve; 0 for
            none before the end.
        validation: "validation", or "train" to be measured on what was learned by heart.
        dtype: Keras dtype policy of the training step.
        seed: of weights, order, augmentation and sampling.
        pipeline: see `training.data.pipeline`.
        tag: of the checkpoint, "architecture.tag".
        preprocess: how pixels are standardized: its scale, mean and std.
        model_args: for `zoo.create`.
        published: the paper's figure, in words.
    """

    model: str
    data: str
    steps: int
    learning_rate: float
    weights: str = ""
    backbone_weights: str = ""
    batch_size: int = 16
    clip_norm: float = 0.0
    drops: tuple[float, ...] = (2 / 3, 8 / 9)
    warmup_steps: int = 500
    momentum: float = 0.9
    size: tuple[int, ...] = (1024, 1024)
    flip: bool = True
    limit: int = 0
    max_objects: int = 100
    round: int = 1000
    validate_every: int = 0
    validation: str = "validation"
    dtype: str = "float32"
    seed: int = 0
    pipeline: str = "auto"
    tag: str = ""
    preprocess: Preprocess = None  # type: ignore[assignment]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""

    accumulate = 1  # for `training.engines.check`
