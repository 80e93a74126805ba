"""What the training of a detector consists of."""

from dataclasses import dataclass
from typing import ClassVar

from training.tasks.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DetectionRecipe(Recipe):
    """One training of a detector.

    Attributes:
        model: name of a detector, "mask_rcnn_BACKBONE".
        data: "coco2017", or a folder in COCO's format, see `zoo.detection.read_coco`.
        steps: updates.
        backbone_weights: checkpoint whose weights the backbone starts from, as `zoo.load` takes
            it; "" for fresh ones.
        warmup_steps: updates over which the rate rises linearly from a thousandth to its peak.
        size: height and width in pixels of the canvas that a photo is scaled into; multiples of
            64.
        limit: the first so many photos alone; 0 for all.
        max_objects: objects of a photo that are looked at.
        round: updates between states, rows of the log, and validations.
        validate_every: rounds between evaluations on the validation photos, for the curve; 0 for
            none before the end.
        validation: "validation", or "train" to be measured on what was learned by heart.
        preprocess: how pixels are standardized: its scale, mean and std.
    """

    task: ClassVar[str] = "detection"

    steps: int
    backbone_weights: str = ""
    batch_size: int = 16
    drops: tuple[float, ...] = (2 / 3, 8 / 9)
    warmup_steps: int = 500
    size: tuple[int, ...] = (1024, 1024)
    flip: bool = True
    limit: int = 0
    max_objects: int = 100
    round: int = 1000
    validate_every: int = 0
    validation: str = "validation"

    @property
    def rounds(self) -> int:
        return self.steps // self.round

    @property
    def length(self) -> str:
        return f"{self.steps:,} updates of {self.batch_size}"

    @property
    def input_size(self) -> tuple[int, ...]:
        return self.size
