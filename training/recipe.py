"""What a training consists of, and the recipes by name."""

import ast
import dataclasses
import functools
import importlib
import pkgutil
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import UnknownNameError, ZooError
from zoo.preprocessing import Preprocess


@dataclass(frozen=True)
class Recipe:
    """One training, completely. Every field but the last four can be set on the command line.

    Attributes:
        model: architecture name.
        data: data set name.
        epochs: passes over the training set.
        learning_rate: peak rate.
        weights: checkpoint of the same architecture to start from, as `zoo.load` takes it, with a
            new head where the classes are others; "" for fresh weights.
        batch_size: images per update, over all devices.
        accumulate: passes that an update is made of, each over `batch_size / accumulate` images.
        optimizer: a key of `training.optimizer.OPTIMIZERS`.
        momentum, nesterov: of SGD.
        clip_norm: greatest norm of the whole gradient; 0 for no limit.
        schedule: "cosine" to 0, "steps" (a tenth at each of `drops`), or "constant".
        drops: parts of the training, in (0, 1).
        warmup_epochs: epochs of linear warm-up from 0, cosine only.
        modulation_steps: training steps with modulated errors, for a model with
            `modulation=True`; see `zoo.callbacks.ModulationCallback`.
        average: decay per update of the average of the weights that is evaluated and published
            in place of the last ones; 0 for none. See `zoo.callbacks.WeightAverage`.
        flip, crop, jitter, lighting: augmentation, see `training.augment.Prepare`.
        resized_crop: whether a window of random size and shape is cut from each picture and
            scaled to the model's size, see `training.data.pictures`.
        sizes: sides of the square training pictures, each for an equal part of the epochs, rounded
            up for the first ones; () for the model's size throughout. Needs `resized_crop`.
            Evaluation is at the model's size.
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al.,
            "Rethinking the Inception Architecture for Computer Vision", section 7).
        mixup, cutmix: parameters a of the distributions Beta(a, a) of the shares, 0 for none; see
            `training.data.mixing`.
        per_pixel: whether mean and deviation are those of each pixel over the training set, in
            place of those of `preprocess`.
        dtype: Keras dtype policy of the training step; the checkpoint is float32 or float16.
        seed: of weights, order and augmentation.
        pipeline: see `training.data.pipeline`.
        validate_every: epochs between evaluations on the test set, for the curve only; the last
            epoch is what ships. 0 for none.
        holdout: training images, the same ones for all seeds, that are not trained on but evaluated
            in place of the test set, to choose settings; such a run cannot be published. 0 for
            none. See `training.data.holdout`.
        recalibrate: training images from which BatchNorm statistics are estimated anew before
            evaluation and publishing; 0 for none.
        recalibrate_batch: images per pass of that; all in one is exact.
        signals_every: training steps between probes of `zoo.callbacks.SignalMonitor` on the first
            batch of the training set; 0 for none. See `training.signals`.
        tag: of the checkpoint, "architecture.tag".
        multipliers: factors on the learning rate by variable path, see `zoo.optimizers.SGD`.
        preprocess: how images become model input.
        model_args: for `zoo.create`.
        published: the paper's figure, for the card, in words.
    """

    model: str
    data: str
    epochs: int
    learning_rate: float
    weights: str = ""
    batch_size: int = 128
    accumulate: int = 1
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    clip_norm: float = 0.0
    schedule: str = "cosine"
    drops: tuple[float, ...] = (0.5, 0.75)
    warmup_epochs: int = 0
    modulation_steps: int = 0
    average: float = 0.0
    flip: bool = False
    crop: int = 0
    jitter: float = 0.0
    lighting: float = 0.0
    resized_crop: bool = False
    sizes: tuple[int, ...] = ()
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    per_pixel: bool = False
    dtype: str = "float32"
    seed: int = 0
    pipeline: str = "auto"
    validate_every: int = 1
    holdout: int = 0
    recalibrate: int = 10_000
    recalibrate_batch: int = 1000
    signals_every: int = 0
    tag: str = ""
    multipliers: Mapping[str, float] = field(default_factory=dict)
    preprocess: Preprocess = None  # type: ignore[assignment]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""

    @property
    def measured_on(self) -> str:
        """The images that a run is evaluated on, as its logs call them."""
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

    def __post_init__(self):
        """Raises a `ZooError` for settings that no training can have."""
        if not 0 <= self.label_smoothing < 1:
            raise ZooError(f"label_smoothing must be in [0, 1). Received: {self.label_smoothing}")
        if self.sizes and not self.resized_crop:
            raise ZooError("sizes needs resized_crop=True: other pictures have one size.")
        if any(type(side) is not int or side < 1 for side in self.sizes):
            raise ZooError(f"sizes must be positive integers. Received: {self.sizes}")


FIXED = ("multipliers", "preprocess", "model_args", "published")


def settable(recipe: Any) -> list[dataclasses.Field]:
    """The fields of a recipe, of whatever kind, that the command line can set."""
    return [field for field in dataclasses.fields(recipe) if field.name not in FIXED]


def names(kind: type = object) -> list[str]:
    """Names of all recipes, or of those of a class: "FILE", or "FILE/ROW" where a file holds the
    rows of a table."""
    return [name for name, recipe in _all().items() if isinstance(recipe, kind)]


def find(name: str) -> Recipe:
    """The recipe of that name; `head(name)` tells about it."""
    if name not in _all():
        raise UnknownNameError("recipe", name, names(), "See `python -m training.train --list`.")
    return _all()[name]


def head(name: str) -> str:
    """The docstring of the file of a recipe: paper, protocol, command, cost, expectation."""
    find(name)
    return importlib.import_module(f"training.recipes.{name.partition('/')[0]}").__doc__ or ""


@functools.cache
def _all() -> dict[str, Recipe]:
    from training import recipes

    found = {}
    for file in sorted(m.name for m in pkgutil.iter_modules(recipes.__path__)):
        module = importlib.import_module(f"training.recipes.{file}")
        if hasattr(module, "RECIPE"):
            found[file] = module.RECIPE
        for row, recipe in getattr(module, "RECIPES", {}).items():
            found[f"{file}/{row}"] = recipe
    return found


def override(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """`recipe` with command-line `key=value` settings; `model_args.KEY=value` goes to the model."""
    types = {f.name: f.type for f in settable(recipe)}
    changes: dict[str, Any] = {}
    model_args = dict(recipe.model_args)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ZooError(f"Expected key=value. Received: {setting!r}")
        if key.startswith("model_args."):
            model_args[key.removeprefix("model_args.")] = _literal(text)
            continue
        if key not in types:
            raise UnknownNameError("setting", key, [*types, "model_args.KEY"])
        value = text if types[key] is str else _literal(text)
        if types[key] is float and type(value) is int:
            value = float(value)
        if type(value) is not (typing.get_origin(types[key]) or types[key]):
            raise ZooError(f"{key} must be of type {types[key].__name__}. Received: {setting!r}")
        changes[key] = value
    return dataclasses.replace(recipe, model_args=model_args, **changes)


def settings(name: str, recipe: Recipe) -> list[str]:
    """The `key=value` settings that lead from the recipe called `name` to `recipe`."""
    if name not in names():
        return []
    original = find(name)
    fields = settable(recipe)
    changed = [f.name for f in fields if getattr(recipe, f.name) != getattr(original, f.name)]
    return [f"{key}={getattr(recipe, key)}" for key in changed] + [
        f"model_args.{key}={value!r}"
        for key, value in recipe.model_args.items()
        if original.model_args.get(key) != value
    ]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
