"""The photos that a detector learns from and is measured on."""

from training.data.coco import read_detections
from training.data.digest import of_photos
from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.task import Data
from zoo.detection.annotated import AnnotatedImages
from zoo.errors import MissingFileError, ZooError


def read_data(recipe: DetectionRecipe, data_dir: str) -> Data:
    """The photos to learn from, and those of `recipe.validation`.

    Raises:
        ZooError: there are none of use.
    """
    photos = learned_from(read(recipe.data, "train", data_dir), recipe.limit)
    measured = photos
    if recipe.validation != "train":
        measured = read(recipe.data, recipe.validation, data_dir)
    counts = {"train": len(photos), "test": len(measured)}
    digests = {"train": of_photos(photos), "test": of_photos(measured)}
    return Data(photos, measured, photos.labels, counts, recipe.preprocess, digests)


def read(data: str, split: str, data_dir: str) -> AnnotatedImages:
    """A split of "coco2017" in `data_dir`, or of the folder that `data` names.

    Photos of a folder are decoded once, and those that cannot be are left out.

    Raises:
        ZooError: `data` is ""; nothing in them can be used.
        MissingFileError: there are none.
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
        raise MissingFileError(
            f"{error} Give validation=train to measure on the photos that are learned from."
        ) from error


def learned_from(photos: AnnotatedImages, limit: int = 0) -> AnnotatedImages:
    """The photos with single objects in them, the first `limit` of these; 0 for all."""
    places = [i for i in range(len(photos)) if (~photos[i].crowd).any()]
    places = places[: limit or None]
    return AnnotatedImages(
        photos.__getitem__, places, photos.labels, photos.category_ids, photos.problems
    )
