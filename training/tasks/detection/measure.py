"""Average precision of a detector on photos."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import keras

from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.evaluation import coco_annotations, coco_results, evaluate_coco
from zoo.detection.prediction import find_objects
from zoo.preprocessing import Preprocess


def predictions(
    model: keras.Model, photos: Sequence[AnnotatedImage], preprocess: Preprocess, batch_size: int
) -> list[tuple[int, dict[str, Any]]]:
    """(number of the photo, what the detector finds in it, in the photo's pixels) of each photo.

    Args:
        model: a detector.
        photos: to look at.
        preprocess: how pixels are standardized.
        batch_size: photos at a time; the last batch is filled up, so that all have one shape.
    """
    by_photo = []
    for first in range(0, len(photos), batch_size):
        rows = [photos[i] for i in range(first, min(first + batch_size, len(photos)))]
        pixels = [photo.pixels() for photo in rows]
        objects = find_objects(model, pixels, preprocess, batch_size)
        by_photo += [(photo.image_id, own) for photo, own in zip(rows, objects, strict=True)]
        if sys.stdout.isatty():
            print(f"\r  {first + len(rows)}/{len(photos)} photos", end="", flush=True)
    if sys.stdout.isatty():
        print()
    return by_photo


def measure(
    model: keras.Model, photos: AnnotatedImages, preprocess: Preprocess, batch_size: int
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """COCO's figures of a detector, and its findings in COCO's format.

    Returns:
        What `zoo.detection.evaluation.evaluate_coco` gives, and what it was given.
    """
    by_photo = predictions(model, photos, preprocess, batch_size)
    results = coco_results(by_photo, photos.category_ids)
    return evaluate_coco(results, coco_annotations(photos)), results


def headline(figures: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The figures that are looked at first: {"box_AP": 0.4, "box_AP50": …, "mask_AP": …}."""
    return {
        f"{kind}_{name}": round(float(values[name]), 4)
        for kind, values in figures.items()
        for name in ("AP", "AP50", "AP75")
    }


def without_nan(figures: Any) -> Any:
    """For JSON, which has no NaN: an object size that does not occur has no figure."""
    if isinstance(figures, dict):
        return {key: without_nan(value) for key, value in figures.items()}
    return None if isinstance(figures, float) and math.isnan(figures) else figures
