"""What the training of a classifier consists of."""

from dataclasses import dataclass
from typing import ClassVar

from training.data.pictures import LEAST_AREA
from training.tasks.recipe import Recipe
from zoo.errors import ZooError


@dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe):
    """One training of a classifier.

    Attributes:
        epochs: passes over the training set.
        schedule: "cosine" to 0, "steps" (a tenth at each of `drops`), or "constant".
        warmup_epochs: epochs of warm-up: linear from 0 with "cosine", at a tenth of the rate with
            "steps".
        modulation_steps: training steps with modulated errors, for a model with
            `modulation=True`; see `zoo.callbacks.ModulationCallback`.
        modulation_band: t, at least 1: errors are modulated where those of neighbouring layers
            differ by a factor above t, see there.
        crop, jitter, lighting: augmentation, see `training.augment.Prepare`.
        resized_crop: whether a window of random size and shape is cut from each picture and
            scaled to the model's size, see `training.data.pictures`.
        least_area: of that window, as a share of the picture, from 0.08 on. A short training of
            a small net learns more from larger ones.
        sizes: sides of the square training pictures, each for an equal part of the epochs, rounded
            up for the first ones; () for the model's size throughout. Needs `resized_crop`.
            Evaluation is at the model's size.
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al.,
            "Rethinking the Inception Architecture for Computer Vision", section 7).
        mixup, cutmix: parameters a of the distributions Beta(a, a) of the shares, 0 for none; see
            `training.data.mixing`.
        per_pixel: whether mean and deviation are those of each pixel over the training set, in
            place of those of `preprocess`.
        validate_every: epochs between evaluations on the test set, for the curve only; the last
            epoch is what ships. 0 for none.
        holdout: training images, the same ones for all seeds, that are not trained on but evaluated
            in place of the test set, to choose settings; such a run cannot be published. 0 for
            none. See `training.data.holdout`.
        leave_out: names of classes whose pictures are neither trained on nor tested on.
        fraction: of the training images of each class, drawn by `seed`, that are trained on.
        recalibrate: training images from which BatchNorm statistics are estimated anew before
            evaluation and publishing; 0 for none.
        recalibrate_batch: images per pass of that; all in one is exact.
    """

    task: ClassVar[str] = "classification"

    epochs: int
    schedule: str = "cosine"
    warmup_epochs: int = 0
    modulation_steps: int = 0
    modulation_band: float = 1.1
    crop: int = 0
    jitter: float = 0.0
    lighting: float = 0.0
    resized_crop: bool = False
    least_area: float = LEAST_AREA
    sizes: tuple[int, ...] = ()
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    per_pixel: bool = False
    holdout: int = 0
    leave_out: tuple[str, ...] = ()
    fraction: float = 1.0
    recalibrate: int = 10_000
    recalibrate_batch: int = 1000

    def __post_init__(self):
        """Raises a `ZooError` for settings that no training can have."""
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise ZooError(f"label_smoothing must be in [0, 1). Received: {self.label_smoothing}")
        if not 0 < self.fraction <= 1:
            raise ZooError(
                f"fraction must be above 0 and at most 1. Received: fraction={self.fraction}"
            )
        if self.sizes and not self.resized_crop:
            raise ZooError("sizes needs resized_crop=True: other pictures have one size.")
        if not LEAST_AREA <= self.least_area < 1:
            raise ZooError(
                f"least_area must be at least {LEAST_AREA} and below 1. "
                f"Received: least_area={self.least_area}"
            )
        if any(type(side) is not int or side < 1 for side in self.sizes):
            raise ZooError(f"sizes must be positive integers. Received: {self.sizes}")

    @property
    def rounds(self) -> int:
        return self.epochs

    @property
    def length(self) -> str:
        return str(self.epochs)

    @property
    def input_size(self) -> tuple[int, ...]:
        return self.preprocess.size

    @property
    def measured_on(self) -> str:
        return "held_out" if self.holdout else "test"

    @property
    def soft_labels(self) -> bool:
        """Whether the labels of training are probabilities."""
        return bool(self.label_smoothing or self.mixup or self.cutmix)

    @property
    def sides(self) -> tuple[int, ...]:
        """The side of the training pictures by epoch; () for the model's size."""
        if not self.sizes:
            return ()
        part = -(-self.epochs // len(self.sizes))
        return tuple(side for side in self.sizes for _ in range(part))[: self.epochs]
