"""The objects in a photo, by a loaded detector."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo import checks
from zoo.detection.mask_rcnn import MaskRCNN
from zoo.detection.training_arrays import resize_and_pad, to_original
from zoo.errors import ZooError
from zoo.images import read_image
from zoo.preprocessing import Preprocess, as_sequence, normalize, settings_of


def predict(
    model: keras.Model | str | os.PathLike,
    images: Any,
    threshold: float = 0.5,
    batch_size: int = 1,
    *,
    preprocess: Preprocess | None = None,
) -> Any:
    """The objects of one photo or many, in the photos' own pixels.

    Each photo is scaled to fit into the detector's canvas, and standardized as the card says.

    Args:
        model: a detector of `zoo.load`, or what `zoo.load` takes: a name or a checkpoint folder.
        images: one photo, a list of photos or an array (N, H, W, C), as for `zoo.preprocess`.
        threshold: float, objects with a lower score are left out.
        batch_size: int, photos that are read and run at a time.
        preprocess: `zoo.preprocessing.Preprocess`, for a detector without a card.

    Returns:
        Dict of "boxes" (n, 4) float32, x1, y1, x2, y2 in pixels; "scores" (n,) float32, the
        highest first; "labels" (n,) int64, indices into the card's labels; and "masks", n run
        lengths in COCO's form (`zoo.detection.masks.decode_rle`), if the detector has them. Of a
        list or a batch a list of such dicts.

    Raises:
        ImageError: a photo cannot be read.
        ZooError: the model is no detector or has no card, or `batch_size` is below 1.

    Example:

    >>> model = zoo.load("path/to/checkpoint")  # doctest: +SKIP
    >>> objects = zoo.detection.predict(model, "street.jpg")  # doctest: +SKIP
    >>> zoo.detection.draw("street.jpg", objects, model.zoo_card.labels)  # doctest: +SKIP
    """
    batch_size = checks.integer("batch_size", batch_size, least=1)
    if isinstance(model, str | os.PathLike):
        from zoo.hub import loading

        model = loading.load(model)
    if not isinstance(model, MaskRCNN):
        raise ZooError(f"{getattr(model, 'name', model)} is no detector: zoo.predict is for it.")
    if preprocess is None:
        preprocess = settings_of(model)
    photos, single = as_sequence(images)
    objects = []
    for first in range(0, len(photos), batch_size):
        pixels = [read_image(photo) for photo in photos[first : first + batch_size]]
        objects += find_objects(model, pixels, preprocess, batch_size, threshold)
    return objects[0] if single else objects


def find_objects(
    model: MaskRCNN,
    photos: Sequence[np.ndarray],
    preprocess: Preprocess,
    batch_size: int,
    threshold: float = 0.0,
) -> list[dict[str, Any]]:
    """The objects of one batch of photos, see `predict`.

    Args:
        model: `MaskRCNN`.
        photos: up to `batch_size` uint8 arrays (h, w, 1 or 3).
        preprocess: `zoo.preprocessing.Preprocess` whose scale, mean and deviation standardize the
            pixels.
        batch_size: int, to which the batch is filled up, so that all have the shape that is
            compiled.
        threshold: float, see `predict`.

    Returns:
        List of dicts, see `predict`.
    """
    size = model.image_size
    canvases = [resize_and_pad(photo, size) for photo in photos]
    batch = np.zeros((batch_size, *size, 3), "float32")
    batch[: len(photos)] = [normalize(canvas, preprocess) for canvas, _ in canvases]
    outputs = model.predict_on_batch(batch)
    objects = []
    for i, (photo, (_, scale)) in enumerate(zip(photos, canvases, strict=True)):
        rows = {key: np.asarray(value[i]) for key, value in outputs.items()}
        rows["labels"] = np.where(rows["scores"] >= threshold, rows["labels"], -1)
        objects.append(to_original(rows, scale, photo.shape[:2]))
    return objects
