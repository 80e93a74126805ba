"""Pictures with objects -> the arrays that a detector learns from, and predictions back."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.detection.masks import encode_rle, outline_to_box_frame, paste
from zoo.errors import ZooError
from zoo.preprocessing import IMAGENET, Preprocess, normalize

# The colour around pictures: what ImageNet's normalization makes (almost) zero.
FILL = tuple(round(mean) for mean in IMAGENET.mean)

Scale = tuple[float, float]


def resize_and_pad(
    pixels: np.ndarray, size: tuple[int, int], fill: Sequence[int] = FILL
) -> tuple[np.ndarray, Scale]:
    """A picture as large as it fits onto a canvas, in the upper left corner.

    Its proportions are kept up to half a pixel; bilinear with antialiasing.

    Args:
        pixels: (h, w, 3) or (h, w, 1) uint8.
        size: (H, W) of the canvas.
        fill: colour of the rest.

    Returns:
        (H, W, 3) uint8, and the scale (rows, columns): canvas pixels per pixel of the picture.

    Raises:
        ZooError: `pixels` is not as said, or `size` not positive.
    """
    from PIL import Image

    pixels = np.asarray(pixels)
    wrong = pixels.ndim != 3 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape
    if wrong or pixels.dtype != np.uint8:
        raise ZooError(
            "pixels must be uint8 of shape (height, width, 3) or (height, width, 1). "
            f"Received: {pixels.dtype} of shape {pixels.shape}"
        )
    height, width = fitted(pixels.shape[:2], size)
    image = Image.fromarray(np.repeat(pixels, 3 // pixels.shape[-1], axis=-1))
    canvas = np.empty((*size, 3), "uint8")
    canvas[:] = fill
    canvas[:height, :width] = image.resize((width, height), Image.Resampling.BILINEAR)
    return canvas, (height / pixels.shape[0], width / pixels.shape[1])


def fitted(picture: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in whole pixels of a picture after it was fitted onto a canvas."""
    if len(size) != 2 or min(size) < 1 or min(picture) < 1:
        raise ZooError(f"Sizes must be (height, width), at least 1. Received: {picture}, {size}")
    factor = min(size[0] / picture[0], size[1] / picture[1])
    return tuple(max(round(side * factor), 1) for side in picture)


def flip(
    pixels: np.ndarray, boxes: np.ndarray, masks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Left becomes right.

    Args:
        pixels: (H, W, C).
        boxes: (n, 4), x1, y1, x2, y2 in pixels.
        masks: (n, M, M) in the frames of their boxes.

    Returns:
        The three, mirrored; the arguments are not changed.
    """
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = pixels.shape[1] - boxes[:, [2, 0]]
    return pixels[:, ::-1], mirrored, None if masks is None else masks[..., ::-1]


def to_arrays(
    detection: Any,
    size: tuple[int, int],
    *,
    max_objects: int = 100,
    mask_size: int | None = 112,
    flipped: bool = False,
    preprocess: Preprocess | None = None,
) -> dict[str, np.ndarray]:
    """One picture with its objects as a detector learns from it.

    Boxes are clipped to the picture; empty ones are left out. An object without outline counts as
    crowd where masks are asked for: neither object nor background.

    Args:
        detection: what has `pixels()`, (h, w, 3) uint8; `boxes` (n, 4), x1, y1, x2, y2 in
            pixels; `labels` (n,); `crowd` (n,); and `segmentation`, n outlines in COCO's form, or
            None: a `zoo.detection.AnnotatedImage`.
        size: (H, W) of the canvas, see `resize_and_pad`.
        max_objects: G; of more, those with the largest boxes stay, and a warning says so once.
        mask_size: M, cells along the sides of a mask's frame; None for boxes alone.
        flipped: whether left becomes right.
        preprocess: whose scale, mean and deviation are applied to the image.

    Returns:
        "image" (H, W, 3) uint8, float32 with `preprocess`; "boxes" (G, 4) float32 in pixels of
        the canvas; "labels" (G,) int32, -1 in empty slots; "crowd" (G,) uint8, 0 and 1; "masks"
        (G, M, M) uint8, 0 and 1, in the frames of their boxes.

    Raises:
        ZooError: the picture cannot be decoded; masks are asked for, but there are no outlines.

    Example:

    >>> batch = [to_arrays(detection, (512, 512)) for detection in detections[:4]]
    >>> batch[0]["masks"].shape
    (100, 112, 112)
    """
    pixels = detection.pixels()
    boxes = clip(detection.boxes, pixels.shape[:2])
    chosen = _chosen(boxes, max_objects)
    boxes, labels = boxes[chosen], np.asarray(detection.labels)[chosen]
    crowd, masks = np.array(detection.crowd, bool)[chosen], None
    if mask_size:
        if detection.segmentation is None and len(chosen):
            raise ZooError(
                "These objects have boxes but no outlines, so masks cannot be learned. Train a "
                "detector of boxes alone: model_args.masks=False on the command line of "
                "training.train; masks=False for zoo.create and mask_size=None for to_arrays."
            )
        outlines = [detection.segmentation[i] for i in chosen]
        crowd |= np.array([outline is None for outline in outlines], bool)
        masks = np.zeros((len(chosen), mask_size, mask_size), "uint8")
        for i, outline in enumerate(outlines):
            if outline is not None:
                masks[i] = outline_to_box_frame(outline, boxes[i], mask_size)
    if flipped:
        pixels, boxes, masks = flip(pixels, boxes, masks)
    image, (rows, columns) = resize_and_pad(pixels, size)
    boxes = boxes * np.array([columns, rows] * 2, "float32")
    return {
        "image": image if preprocess is None else normalize(image, preprocess),
        "boxes": _slots(boxes, max_objects, "float32"),
        "labels": _slots(labels, max_objects, "int32", -1),
        # No bool: TensorFlow adds up the parts of a distributed batch to learn their shapes.
        "crowd": _slots(crowd, max_objects, "uint8"),
    } | ({} if masks is None else {"masks": _slots(masks, max_objects, "uint8")})


def to_original(
    detections: Mapping[str, Any],
    scale: Scale,
    size: tuple[int, int],
    mask_threshold: float = 0.5,
) -> dict[str, Any]:
    """Predictions for one picture, back in its own pixels.

    Masks are pasted before boxes are clipped: their frames are the boxes as predicted.

    Args:
        detections: "boxes" (D, 4), "scores" (D,), "labels" (D,), -1 where there is none, and
            "masks" (D, m, m) if the model has them: one row of what it predicts.
        scale: as `resize_and_pad` gave it.
        size: (height, width) of the picture before.
        mask_threshold: the least value of a mask that is object.

    Returns:
        "boxes" (n, 4) float32, clipped to the picture, none empty; "scores" (n,) float32;
        "labels" (n,) int64; "masks": n run lengths in COCO's compressed form (`decode_rle`).

    Raises:
        ZooError: a coordinate is not finite.

    Example:

    >>> image, scale = resize_and_pad(photo, (512, 512))
    >>> rows = model.predict(normalize(image, IMAGENET)[None])
    >>> detections = to_original({k: v[0] for k, v in rows.items()}, scale, photo.shape[:2])
    """
    boxes = np.asarray(detections["boxes"], "float32")
    boxes = boxes / np.array([scale[1], scale[0]] * 2, "float32")
    clipped, labels = clip(boxes, size), np.asarray(detections["labels"]).astype("int64")
    kept = np.flatnonzero((labels >= 0) & (_areas(clipped) > 0))
    result = {
        "boxes": clipped[kept],
        "scores": np.asarray(detections["scores"], "float32")[kept],
        "labels": labels[kept],
    }
    if "masks" in detections:
        masks = detections["masks"]
        result["masks"] = [
            encode_rle(paste(masks[i], boxes[i], size, mask_threshold)) for i in kept
        ]
    return result


def clip(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(n, 4) boxes within a picture of (height, width), float32.

    Raises:
        ZooError: a coordinate is not finite.
    """
    boxes = np.asarray(boxes, "float32").reshape(-1, 4)
    if not np.isfinite(boxes).all():
        row = boxes[~np.isfinite(boxes).all(1)][0]
        raise ZooError(f"Boxes must have finite coordinates. Received: {row.tolist()}")
    return np.clip(boxes, 0, np.array([size[1], size[0]] * 2, "float32"))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def _chosen(boxes: np.ndarray, max_objects: int) -> np.ndarray:
    """Indices of the boxes to learn from, ascending."""
    areas = _areas(boxes)
    order = np.argsort(-areas, kind="stable")[: np.count_nonzero(areas)]
    if len(order) > max_objects:
        # The same words every time, so that Python tells them once.
        warnings.warn(
            f"A picture has more than {max_objects} objects; the largest are learnt from, the "
            "others are background to the detector. Raise max_objects to learn from all.",
            stacklevel=3,
        )
    return np.sort(order[:max_objects])


def _slots(values: np.ndarray, count: int, dtype: str, empty: int = 0) -> np.ndarray:
    result = np.full((count, *values.shape[1:]), empty, dtype)
    result[: len(values)] = values
    return result
