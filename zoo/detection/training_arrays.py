"""Pictures with objects -> the arrays that a detector learns from, and predictions back."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.detection.annotated import AnnotatedImage
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
        pixels: uint8 array (h, w, 3) or (h, w, 1).
        size: tuple of int, (H, W) of the canvas.
        fill: sequence of 3 ints, colour of the rest.

    Returns:
        uint8 array (H, W, 3), and the scale (rows, columns): canvas pixels per pixel of the
        picture.

    Raises:
        ZooError: `pixels` is not as said, or `size` not positive.

    Example:

    >>> canvas, scale = resize_and_pad(np.zeros((30, 40, 3), "uint8"), (64, 64))
    >>> canvas.shape, scale
    ((64, 64, 3), (1.6, 1.6))
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
    """The size in whole pixels of a picture after it was fitted onto a canvas.

    Args:
        picture: tuple of int, its (height, width) before.
        size: tuple of int, (H, W) of the canvas.

    Returns:
        Tuple of int, (height, width).

    Raises:
        ZooError: a size is not positive.

    Example:

    >>> fitted((30, 40), (64, 64))
    (48, 64)
    """
    if len(size) != 2 or min(size) < 1 or min(picture) < 1:
        raise ZooError(f"Sizes must be (height, width), at least 1. Received: {picture}, {size}")
    factor = min(size[0] / picture[0], size[1] / picture[1])
    height, width = (max(round(side * factor), 1) for side in picture)
    return height, width


def flip(
    pixels: np.ndarray, boxes: np.ndarray, masks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Left becomes right.

    Args:
        pixels: array (H, W, C).
        boxes: array (n, 4), x1, y1, x2, y2 in pixels.
        masks: array (n, M, M) in the frames of their boxes, or None.

    Returns:
        The three, mirrored; the arguments are not changed.

    Example:

    >>> flip(np.zeros((20, 30, 3)), np.array([[0, 0, 10, 20]]))[1].tolist()
    [[20, 0, 30, 20]]
    """
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = pixels.shape[1] - boxes[:, [2, 0]]
    return pixels[:, ::-1], mirrored, None if masks is None else masks[..., ::-1]


def to_arrays(
    image: AnnotatedImage,
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
        image: `AnnotatedImage`, or what has its `pixels`, `boxes`, `labels`, `crowd` and
            `segmentation`.
        size: tuple of int, (H, W) of the canvas, see `resize_and_pad`.
        max_objects: int, G; of more, those with the largest boxes stay, and a warning says so
            once.
        mask_size: int, M, cells along the sides of a mask's frame; None for boxes alone.
        flipped: bool, whether left becomes right.
        preprocess: `zoo.preprocessing.Preprocess` whose scale, mean and deviation are applied to
            the image; None for none.

    Returns:
        Dict of "image" (H, W, 3) uint8, float32 with `preprocess`; "boxes" (G, 4) float32 in
        pixels of the canvas; "labels" (G,) int32, -1 in empty slots; "crowd" (G,) uint8, 0 and 1;
        "masks" (G, M, M) uint8, 0 and 1, in the frames of their boxes.

    Raises:
        ZooError: the picture cannot be decoded; masks are asked for, but there are no outlines.

    Example:

    >>> from types import SimpleNamespace
    >>> image = SimpleNamespace(  # as `zoo.detection.read_coco` gives it
    ...     pixels=lambda: np.zeros((30, 40, 3), "uint8"),
    ...     boxes=np.array([[10, 10, 20, 20]]),
    ...     labels=[7],
    ...     crowd=[False],
    ...     segmentation=[[[10, 10, 15, 10, 15, 20, 10, 20]]],
    ... )
    >>> arrays = to_arrays(image, (60, 80), max_objects=2, mask_size=2)
    >>> {name: array.tolist() for name, array in arrays.items() if name in ("boxes", "labels")}
    {'boxes': [[20.0, 20.0, 40.0, 40.0], [0.0, 0.0, 0.0, 0.0]], 'labels': [7, -1]}
    >>> arrays["masks"][0].tolist()
    [[1, 0], [1, 0]]
    """
    pixels = image.pixels()
    boxes = clip(image.boxes, pixels.shape[:2])
    chosen = _chosen(boxes, max_objects)
    boxes, labels = boxes[chosen], np.asarray(image.labels)[chosen]
    crowd, masks = np.array(image.crowd, bool)[chosen], None
    if mask_size:
        if image.segmentation is None and len(chosen):
            raise ZooError(
                "These objects have boxes but no outlines, so masks cannot be learned. Train a "
                "detector of boxes alone: model_args.masks=False on the command line of "
                "training.train; masks=False for zoo.create and mask_size=None for to_arrays."
            )
        outlines = [image.segmentation[i] for i in chosen] if image.segmentation else []
        crowd |= np.array([outline is None for outline in outlines], bool)
        masks = np.zeros((len(chosen), mask_size, mask_size), "uint8")
        for i, outline in enumerate(outlines):
            if outline is not None:
                masks[i] = outline_to_box_frame(outline, boxes[i], mask_size)
    if flipped:
        pixels, boxes, masks = flip(pixels, boxes, masks)
    canvas, (rows, columns) = resize_and_pad(pixels, size)
    boxes = boxes * np.array([columns, rows] * 2, "float32")
    return {
        "image": canvas if preprocess is None else normalize(canvas, preprocess),
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
        detections: dict of "boxes" (D, 4), "scores" (D,), "labels" (D,), -1 where there is none,
            and "masks" (D, m, m) if the model has them: one row of what it predicts.
        scale: tuple of float, as `resize_and_pad` gave it.
        size: tuple of int, (height, width) of the picture before.
        mask_threshold: float, the least value of a mask that is object.

    Returns:
        Dict of "boxes" (n, 4) float32, clipped to the picture, none empty; "scores" (n,) float32;
        "labels" (n,) int64; "masks": n run lengths in COCO's compressed form (`decode_rle`).

    Raises:
        ZooError: a coordinate is not finite.

    Example:

    >>> rows = {"boxes": [[16, 8, 32, 24], [0, 0, 0, 0]], "scores": [0.9, 0], "labels": [3, -1]}
    >>> to_original(rows, (1.6, 1.6), (30, 40))["boxes"].tolist()
    [[10.0, 5.0, 20.0, 15.0]]
    """
    boxes = np.asarray(detections["boxes"], "float32")
    boxes = boxes / np.array([scale[1], scale[0]] * 2, "float32")
    clipped, labels = clip(boxes, size), np.asarray(detections["labels"]).astype("int64")
    kept = np.flatnonzero((labels >= 0) & (_areas(clipped) > 0))
    result: dict[str, Any] = {
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
    """The parts of boxes within a picture.

    Args:
        boxes: array (n, 4).
        size: tuple of int, (height, width) of the picture.

    Returns:
        Array (n, 4), float32.

    Raises:
        ZooError: a coordinate is not finite.

    Example:

    >>> clip(np.array([[-2, 1, 9, 3]]), (4, 8)).tolist()
    [[0.0, 1.0, 8.0, 3.0]]
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
