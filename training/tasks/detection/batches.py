"""Batches of photos with their objects, as functions of seed and step."""

import functools
import time
from dataclasses import dataclass

import numpy as np

from training.data.pipeline import Share, feed
from training.tasks.detection.recipe import DetectionRecipe
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.training_arrays import to_arrays
from zoo.errors import ZooError

MASK_SIDE = 112  # cells along the sides of an object's mask
PROBED = 2  # photos whose signals are read


@dataclass(frozen=True)
class Batches:
    """The batches of a training, cut for one process.

    Photos come in passes over the set, each a random permutation by (seed, pass); a batch may hold
    the end of one pass and the beginning of the next.

    Attributes:
        photos: the training set.
        recipe: what size, how many objects, whether mirrored, seed.
        share: the parts of this process, see `training.data.pipeline.Share`.
    """

    photos: AnnotatedImages
    recipe: DetectionRecipe
    share: Share = Share()  # noqa: RUF009 (frozen)

    def __post_init__(self):
        if not len(self.photos):
            raise ZooError("There is no photo to train on.")

    @property
    def size(self) -> int:
        """Photos of a training step, over all processes."""
        return self.recipe.batch_size // self.recipe.accumulate

    @property
    def steps(self) -> int:
        """Training steps of a round."""
        return self.recipe.round * self.recipe.accumulate

    def batch(self, step: int, part: int) -> tuple[dict[str, np.ndarray]]:
        """({"image", "boxes", "labels", "crowd", "masks"},) of one part of the batch of a step."""
        size = self.size
        length = size // self.share.parts
        places = np.arange(step * size, (step + 1) * size)[part * length : (part + 1) * length]
        examples = [self._example(int(place)) for place in places]
        return ({key: np.stack([e[key] for e in examples]) for key in examples[0]},)

    def _example(self, place: int) -> dict[str, np.ndarray]:
        recipe = self.recipe
        turn, i = divmod(place, len(self.photos))
        order = _permutation(recipe.seed, turn, len(self.photos))
        mirrored = recipe.flip and np.random.default_rng([recipe.seed, turn, i]).random() < 0.5
        return arrays_of(recipe, self.photos[int(order[i])], bool(mirrored))

    def round(self, number: int, first: int):
        """What `fit` takes for the steps from `first` on of a round."""
        first, last = number * self.steps + first, (number + 1) * self.steps

        def item(i: int):
            step, turn = divmod(i, len(self.share.mine))
            return self.batch(first + step, self.share.mine[turn])

        return feed(item, (last - first) * len(self.share.mine), self.recipe.pipeline)

    def step(self, number: int, step: int) -> tuple[dict[str, np.ndarray], None]:
        """The whole batch of one step of a round; a detector has no targets beside its inputs."""
        return *self.batch(number * self.steps + step, 0), None

    def images_per_second(self, seconds: float = 0.5) -> float:
        """What this process can read alone, measured over so many seconds."""
        step, count, began = 0, 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            count += len(self.batch(step, self.share.mine[0])[0]["image"])
            step += 1
        return count / (time.perf_counter() - began)


def arrays_of(
    recipe: DetectionRecipe, photo: AnnotatedImage, mirrored: bool = False
) -> dict[str, np.ndarray]:
    """What a detector learns from one photo."""
    return to_arrays(
        photo,
        tuple(recipe.size),
        max_objects=recipe.max_objects,
        mask_size=MASK_SIDE if recipe.model_args.get("masks", True) else None,
        flipped=mirrored,
        preprocess=recipe.preprocess,
    )


def probe(recipe: DetectionRecipe, photos: AnnotatedImages) -> tuple[dict[str, np.ndarray], None]:
    """The first `PROBED` photos, not mirrored, that signals are read on."""
    examples = [arrays_of(recipe, photos[i]) for i in range(min(PROBED, len(photos)))]
    return {key: np.stack([e[key] for e in examples]) for key in examples[0]}, None


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, turn: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, turn]).permutation(count)
