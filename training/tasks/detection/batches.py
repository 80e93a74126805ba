"""Batches of photos with their objects, as functions of seed and step."""

import functools
import time
from dataclasses import dataclass

import numpy as np

from training.data.coco import read_detections
from training.data.pipeline import Share, feed
from training.detection.recipe import DetectionRecipe
from zoo.detection.annotated import AnnotatedImages
from zoo.detection.training_arrays import to_arrays
from zoo.errors import ZooError

MASK_SIDE = 112  # cells along the sides of an object's mask


def read(data: str, split: str, data_dir: str) -> AnnotatedImages:
    """A split of "coco2017" in `data_dir`, or of the folder that `data` names.

    Photos of a folder are decoded once, and those that cannot be are left out.

    Raises:
        ZooError: `data` is ""; nothing in them can be used.
        FileNotFoundError: there are none.
    """
    if not data:
        raise ZooError("Name a folder of photos in COCO's format: data=FOLDER")
    if data == "coco2017":
        return read_detections("coco2017", split, data_dir)
    try:
        return read_detections("folder", split, data).readable()
    except FileNotFoundError as error:
        if split == "train":
            raise
        raise FileNotFoundError(
            f"{error} Give validation=train to measure on the photos that are learned from."
        ) from error


def learned_from(photos: AnnotatedImages, limit: int = 0) -> AnnotatedImages:
    """The photos with single objects in them, the first `limit` of these; 0 for all."""
    places = [i for i in range(len(photos)) if (~photos[i].crowd).any()]
    places = places[: limit or None]
    return AnnotatedImages(
        photos.__getitem__, places, photos.labels, photos.category_ids, photos.problems
    )


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

    def batch(self, step: int, part: int) -> tuple[dict[str, np.ndarray]]:
        """({"image", "boxes", "labels", "crowd", "masks"},) of one part of the batch of a step."""
        size = self.recipe.batch_size
        length = size // self.share.parts
        places = np.arange(step * size, (step + 1) * size)[part * length : (part + 1) * length]
        examples = [self._example(int(place)) for place in places]
        return ({key: np.stack([e[key] for e in examples]) for key in examples[0]},)

    def _example(self, place: int) -> dict[str, np.ndarray]:
        recipe = self.recipe
        turn, i = divmod(place, len(self.photos))
        order = _permutation(recipe.seed, turn, len(self.photos))
        mirrored = recipe.flip and np.random.default_rng([recipe.seed, turn, i]).random() < 0.5
        return to_arrays(
            self.photos[int(order[i])],
            tuple(recipe.size),
            max_objects=recipe.max_objects,
            mask_size=MASK_SIDE if recipe.model_args.get("masks", True) else None,
            flipped=bool(mirrored),
            preprocess=recipe.preprocess,
        )

    def steps(self, first: int, last: int):
        """What `fit` takes for the updates from `first` to before `last`."""

        def item(i: int):
            step, turn = divmod(i, len(self.share.mine))
            return self.batch(first + step, self.share.mine[turn])

        return feed(item, (last - first) * len(self.share.mine), self.recipe.pipeline)

    def images_per_second(self, seconds: float = 0.5) -> float:
        """What this process can read alone, measured over so many seconds."""
        step, count, began = 0, 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            count += len(self.batch(step, self.share.mine[0])[0]["image"])
            step += 1
        return count / (time.perf_counter() - began)


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, turn: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, turn]).permutation(count)
