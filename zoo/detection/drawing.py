"""Pictures with boxes, masks and labels of objects drawn on them."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.detection.masks import outline_to_mask
from zoo.errors import ZooError
from zoo.images import read_image

if TYPE_CHECKING:
    from PIL import Image

OPACITY = 0.45  # of masks


def draw(
    image: Any, detections: Any, labels: Sequence[str], threshold: float = 0.5
) -> "Image.Image":
    """A copy of the picture with its objects: box, translucent mask, name and score.

    Every class has a colour of its own, the same in every picture. Large objects are drawn first,
    so that they do not hide what is in front of them.

    Args:
        image: whatever `zoo.images.read_image` takes: path, PIL image, array.
        detections: dict of "boxes" (n, 4), x1, y1, x2, y2 in pixels of the picture; "labels"
            (n,); optionally "scores" (n,) and "masks", each (H, W) or in one of COCO's forms, or
            None: what `zoo.detection.predict` gives. Or the ground truth, an `AnnotatedImage`.
        labels: sequence of str, names of the classes.
        threshold: float, objects with lower scores are not drawn.

    Returns:
        PIL image, RGB, of the picture's size.

    Raises:
        ImageError: the picture cannot be read.
        ZooError: a label has no name, or a mask does not fit the picture.

    Example:

    >>> photo = np.full((120, 160, 3), 100, "uint8")
    >>> detections = {"boxes": [[30, 40, 90, 100]], "labels": [1], "scores": [0.9]}
    >>> draw(photo, detections, ("cat", "dog")).size
    (160, 120)
    """
    from PIL import Image, ImageDraw, ImageFont

    pixels = read_image(image)
    pixels = np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)
    size = pixels.shape[:2]
    objects = _objects(detections, labels, threshold)
    pen = max(1, round(min(size) / 240))
    for thing in objects:
        if thing.mask is not None:
            _blend(pixels, thing.pixels(size), thing.colour, pen)
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    for thing in objects:
        canvas.rectangle([*thing.corners(size)], outline=thing.colour, width=pen)
    font = ImageFont.load_default(max(11, round(min(size) / 36)))
    taken: list[tuple[float, float, float, float]] = []
    for thing in reversed(objects):
        _write(canvas, thing, size, font, taken)
    return picture


class _Object:
    """What is drawn of one object."""

    def __init__(self, box: np.ndarray, label: int, text: str, mask: Any):
        self.box, self.text, self.mask = np.asarray(box, float), text, mask
        self.area = float(np.prod(np.maximum(self.box[2:] - self.box[:2], 0)))
        self.colour = colour(label)

    def pixels(self, size: tuple[int, int]) -> np.ndarray:
        mask = self.mask
        if not isinstance(mask, np.ndarray):
            return outline_to_mask(mask, size)
        if mask.shape != size:
            raise ZooError(f"A mask must be of the picture's size {size}. Received: {mask.shape}")
        return mask != 0

    def corners(self, size: tuple[int, int]) -> list[int]:
        """Of the pixels within the box, both included."""
        height, width = size
        x1, y1, x2, y2 = np.clip(np.rint(self.box), 0, [width, height] * 2).astype(int).tolist()
        return [min(x1, width - 1), min(y1, height - 1), max(x2 - 1, x1), max(y2 - 1, y1)]


def colour(label: int) -> tuple[int, int, int]:
    """The colour of a class: hues by the golden section, in three shades.

    Args:
        label: int.

    Returns:
        Red, green and blue, 0..255.

    Example:

    >>> colour(0)
    (242, 29, 0)
    """
    shade = ((1.0, 0.95), (0.6, 1.0), (0.9, 0.7))[label % 3]
    red, green, blue = colorsys.hsv_to_rgb((0.02 + label * 0.618034) % 1, *shade)
    return round(255 * red), round(255 * green), round(255 * blue)


def _objects(detections: Any, labels: Sequence[str], threshold: float) -> list[_Object]:
    """The largest first."""
    if not isinstance(detections, Mapping):
        detections = {
            "boxes": detections.boxes,
            "labels": detections.labels,
            "masks": detections.segmentation,
            "crowd": detections.crowd,
        }
    count = len(detections["boxes"])
    scores, masks = detections.get("scores"), detections.get("masks")
    masks = [None] * count if masks is None else masks
    crowd = detections.get("crowd", [False] * count)
    objects = []
    for i, label in enumerate(np.asarray(detections["labels"]).tolist()):
        if label < 0 or (scores is not None and not scores[i] >= threshold):
            continue
        if label >= len(labels):
            raise ZooError(f"Label {label} has no name; there are {len(labels)} names.")
        text = labels[label] + (" (crowd)" if crowd[i] else "")
        text += "" if scores is None else f" {100 * float(scores[i]):.0f}%"
        objects.append(_Object(detections["boxes"][i], label, text, masks[i]))
    return sorted(objects, key=lambda thing: -thing.area)


def _blend(pixels: np.ndarray, mask: np.ndarray, rgb: tuple[int, int, int], pen: int) -> None:
    """Tint the object in place, and draw its contour."""
    pixels[mask] = np.rint((1 - OPACITY) * pixels[mask] + OPACITY * np.array(rgb)).astype("uint8")
    inner = np.pad(mask, pen, mode="edge")
    height, width = mask.shape
    inside = mask.copy()
    for shift in (0, 2 * pen):
        inside &= inner[shift : shift + height, pen : pen + width]
        inside &= inner[pen : pen + height, shift : shift + width]
    pixels[mask & ~inside] = rgb


def _write(canvas: Any, thing: _Object, size: tuple[int, int], font: Any, taken: list) -> None:
    """The label above its box, or else below or in it; if others are there, further down."""
    height, width = size
    _, top, right, bottom = canvas.textbbox((0, 0), thing.text, font=font)
    margin = max(1, round((bottom - top) / 6))
    w, h = right + 2 * margin, bottom + 2 * margin
    left, upper, _, lower = thing.corners(size)
    x = min(left, max(width - w, 0))

    def hidden(y: int) -> list:
        return [t for t in taken if x < t[2] and t[0] < x + w and y < t[3] and t[1] < y + h]

    places = [y for y in (upper - h, lower + 1, upper) if 0 <= y <= height - h]
    y = next((y for y in places if not hidden(y)), min([*places, max(height - h, 0)]))
    while hidden(y) and y + h < height:
        y = max(t[3] for t in hidden(y))
    y = min(y, max(height - h, 0))
    taken.append((x, y, x + w, y + h))
    canvas.rectangle([x, y, x + w - 1, y + h - 1], fill=thing.colour)
    red, green, blue = thing.colour
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    canvas.text((x + margin, y + margin), thing.text, fill="white" if dark else "black", font=font)
