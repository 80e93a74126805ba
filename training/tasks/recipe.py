"""What every training consists of, whatever its task."""

import abc
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo import checks
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess

# The least of each whole number; 0 for the others.
LEAST = dict.fromkeys(
    ("batch_size", "accumulate", "epochs", "steps", "round", "max_objects", "recalibrate_batch"), 1
)
MOST_SEED = 2**32 - 1  # of NumPy

FIXED = ("multipliers", "preprocess", "model_args", "published")


@dataclass(frozen=True)
class About:
    """What a file of `training/recipes/` trains: `ABOUT` of that file.

    Attributes:
        title: of the table, in a line.
        paper: where the table is printed.
        protocol: of the paper, and where the recipes differ.
    """

    title: str
    paper: str
    protocol: str


@dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """One training, completely. Every field but those in `FIXED` can be set on the command line.

    Attributes:
        task: name of the task, see `training.tasks`.
        model: architecture name.
        data: data set name, or what else the task reads.
        learning_rate: peak rate.
        weights: checkpoint of the same architecture to start from, as `zoo.load` takes it, with a
            new head where the classes are others; "" for fresh weights.
        batch_size: examples per update, over all devices.
        accumulate: passes that an update is made of, each over `batch_size / accumulate` examples.
        optimizer: a key of `training.optimizer.OPTIMIZERS`.
        momentum, nesterov: of SGD.
        clip_norm: greatest norm of the whole gradient; 0 for no limit.
        drops: parts of the training, in (0, 1), at which the rate falls to a tenth.
        average: decay per update of the average of the weights that is evaluated and published
            in place of the last ones; 0 for none. See `zoo.callbacks.WeightAverage`.
        flip: whether examples are mirrored with probability 1/2.
        dtype: Keras dtype policy of the training step; the checkpoint is float32 or float16.
        seed: of weights, order, augmentation and sampling.
        pipeline: see `training.data.pipeline`.
        validate_every: rounds between evaluations, for the curve only; 0 for none.
        signals_every: training steps between probes of `zoo.callbacks.SignalMonitor` on the first
            examples of the training set; 0 for none.
        tag: of the checkpoint, "architecture.tag".
        multipliers: factors on the learning rate by variable path, see `zoo.optimizers.SGD`.
        preprocess: how images become model input.
        model_args: for `zoo.create`.
        published: the paper's figure, for the card, in words.
    """

    task: ClassVar[str]

    model: str
    data: str
    learning_rate: float
    weights: str = ""
    batch_size: int = 128
    accumulate: int = 1
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    clip_norm: float = 0.0
    drops: tuple[float, ...] = (0.5, 0.75)
    average: float = 0.0
    flip: bool = False
    dtype: str = "float32"
    seed: int = 0
    pipeline: str = "auto"
    validate_every: int = 1
    signals_every: int = 0
    tag: str = ""
    multipliers: Mapping[str, float] = field(default_factory=dict)
    preprocess: Preprocess = None  # type: ignore[assignment]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""

    def __post_init__(self):
        """Raises a `ZooError` for numbers that no training can have."""
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.type is int:
                checks.integer(each.name, value, LEAST.get(each.name, 0))
            elif each.type is float:
                checks.not_negative(each.name, value)
        if not re.fullmatch(r"[a-z0-9_-]{0,100}", self.tag):
            raise ZooError(
                f"tag must be of small letters, digits, '_' and '-'. Received: tag={self.tag!r}"
            )
        if self.seed > MOST_SEED:
            raise ZooError(f"seed must be at most {MOST_SEED}. Received: seed={self.seed}")

    @property
    @abc.abstractmethod
    def rounds(self) -> int:
        """Into how many parts the training is cut, each with a row of the log and a state."""

    @property
    @abc.abstractmethod
    def length(self) -> str:
        """How long the training is, in words."""

    @property
    @abc.abstractmethod
    def input_size(self) -> tuple[int, ...]:
        """Height and width of what the model takes."""

    @property
    def measured_on(self) -> str:
        """The examples that a run is evaluated on, as its logs call them."""
        return "test"


def settable(recipe: Recipe) -> list[dataclasses.Field]:
    """The fields of a recipe that the command line can set."""
    return [field for field in dataclasses.fields(recipe) if field.name not in FIXED]
