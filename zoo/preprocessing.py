"""From pictures to what a model takes: the one place for resize, crop and scaling."""

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.images import as_array, check_pixels, is_pil, read_pixels

INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")


@dataclass(frozen=True)
class Preprocess:
    """How a checkpoint's images are prepared. Part of its card.

    Attributes:
        size: (height, width) of the array that the model takes.
        channels: 1 (grey) or 3 (RGB).
        resize: length in pixels of the shorter side after resizing, before the centre crop of
            `size`.
        interpolation: "bilinear", "bicubic", "lanczos" or "nearest", with antialiasing.
        scale, mean, std: y = (x * scale - mean) / std for x in 0..255; mean and std have one
            entry per channel each, or one per pixel and channel: height * width * channels, in
            the order of rows, columns, channels.
    """

    size: tuple[int, int]
    channels: int
    resize: int
    interpolation: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self):
        """Raises a `ZooError` for what no picture could be prepared by."""
        size = len(self.size) == 2 and min(self.size) >= 1
        lengths = {self.channels, math.prod(self.size) * self.channels}
        each = f"per channel ({self.channels}) or per pixel and channel ({max(lengths)})"
        allowed = {
            "size": ("two positive integers", size),
            "channels": ("1 or 3", self.channels in (1, 3)),
            "resize": ("a positive integer", self.resize >= 1),
            "interpolation": (f"one of {INTERPOLATIONS}", self.interpolation in INTERPOLATIONS),
            "mean": (f"one number {each}", len(self.mean) in lengths),
            "std": (
                f"one positive number {each}",
                len(self.std) in lengths and min(self.std, default=0) > 0,
            ),
        }
        for name, (what, right) in allowed.items():
            if not right:
                received = getattr(self, name)
                count = f" ({len(received)} numbers)" if name in ("mean", "std") else ""
                raise ZooError(
                    f"Preprocess: {name} must be {what}. "
                    f"Received: {name}={reprlib.repr(received)}{count}"
                )


# How the papers' programs standardize each kind of image. Recipes and cards take theirs from
# here; `zoo.convert` gives ImageNet's to what it converts.
CIFAR = Preprocess(  # Huang et al. (arXiv 2002.10801): deviations of the training set
    size=(32, 32),
    channels=3,
    resize=32,
    interpolation="bicubic",
    scale=1 / 255,
    mean=(125.3 / 255, 123.0 / 255, 113.9 / 255),
    std=(63.0 / 255, 62.1 / 255, 66.7 / 255),
)
IMAGENET = Preprocess(  # Hu (SeqNet), torchvision's program: 224 of 256 pixels
    size=(224, 224),
    channels=3,
    resize=256,
    interpolation="bilinear",
    scale=1.0,
    mean=(123.7, 116.3, 103.5),
    std=(58.4, 57.1, 57.4),
)
TINY_IMAGENET = Preprocess(  # all of a photo of 64 pixels; ImageNet's mean and deviation
    size=(64, 64),
    channels=3,
    resize=64,
    interpolation="bilinear",
    scale=1.0,
    mean=(123.7, 116.3, 103.5),
    std=(58.4, 57.1, 57.4),
)
USPS = Preprocess(  # to [-1, 1], as the digits are distributed
    size=(16, 16),
    channels=1,
    resize=16,
    interpolation="bicubic",
    scale=1 / 127.5,
    mean=(1.0,),
    std=(1.0,),
)
COIL20 = Preprocess(  # Oyedotun et al. feed all 128 x 128 pixels
    size=(128, 128),
    channels=1,
    resize=128,
    interpolation="bicubic",
    scale=1 / 127.5,
    mean=(1.0,),
    std=(1.0,),
)
PRESETS = {
    "cifar": CIFAR,
    "imagenet": IMAGENET,
    "tiny_imagenet": TINY_IMAGENET,
    "usps": USPS,
    "coil20": COIL20,
}


def preprocess(model: Any, images: Any) -> np.ndarray:
    """Pictures of any kind and size -> the array that `model` takes.

    Grey is repeated for RGB models, RGB becomes grey by the luma of ITU-R 601-2. The picture is
    scaled, its proportions kept, until the shorter side has `resize` pixels (more, where `size`
    would not fit into it), `size` is cut from the centre, and `normalize` does the rest. A
    picture that already has `size` is neither scaled nor cut.

    Args:
        model: a model of `zoo.load` or `zoo.convert`, which knows how; or a `Preprocess`, e.g.
            `zoo.preprocessing.IMAGENET` for a model with weights from elsewhere.
        images: one picture, a list of pictures of any sizes, or an array (N, H, W, C). A picture
            is a path, a PIL image, or an array (H, W) or (H, W, C), uint8 or float on the scale
            0..255, C = 1, 3 or 4 (RGBA, laid over white).

    Returns:
        float32 array (N, height, width, channels), N = 1 for one picture.

    Raises:
        ImageError: a picture cannot be read, or an array is not of this kind.
        ZooError: the model does not know how.

    Example:

    >>> model = zoo.load("maxnorm_plainnet50.cifar10")
    >>> zoo.preprocess(model, ["cat.png", "rocket.jpg"]).shape
    (2, 32, 32, 3)
    """
    return prepare(how_of(model), as_sequence(images)[0])


def normalize(images, how: Preprocess):
    """(…, channels) on the scale 0..255 -> what the model takes, float32; arrays or tensors.

    Raises:
        ZooError: mean or std are given per pixel, and the images have not the model's size.
    """
    import keras

    mean, std = (_statistics(values, images, how) for values in (how.mean, how.std))
    if isinstance(images, np.ndarray):
        images = images.astype("float32", copy=False)
    elif keras.ops.is_tensor(images):
        images = keras.ops.cast(images, "float32")
        mean, std = keras.ops.convert_to_tensor(mean), keras.ops.convert_to_tensor(std)
    return (images * how.scale - mean) / std


def _statistics(values: tuple[float, ...], images, how: Preprocess) -> np.ndarray:
    """(channels,), or (height, width, channels) where there is one number for every pixel."""
    array = np.asarray(values, "float32")
    if len(values) == how.channels:
        return array
    wanted, shape = (*how.size, how.channels), tuple(images.shape)
    if len(shape) < 3 or any(n not in (None, m) for n, m in zip(shape[-3:], wanted, strict=True)):
        raise ZooError(
            f"Mean and deviation of each pixel need images of shape (…, {str(wanted)[1:-1]}). "
            f"Received: {shape}"
        )
    return array.reshape(wanted)


def how_of(model: Any) -> Preprocess:
    """The `Preprocess` on the model's card, or which a conversion gave it; a `Preprocess` is its
    own."""
    if isinstance(model, Preprocess):
        return model
    how = getattr(getattr(model, "zoo_card", None), "preprocess", None)
    how = how or getattr(model, "zoo_preprocess", None)
    if how is None:
        raise ZooError(
            f"{getattr(model, 'name', model)!r} has no card that says how its images are "
            "prepared: copies and .keras files lose it. Load it with zoo.load(NAME), or give "
            "zoo.predict labels=… and preprocess=zoo.preprocessing.CIFAR or another Preprocess, "
            "zoo.preprocess that in place of the model."
        )
    return how


def as_sequence(images: Any) -> tuple[Sequence | np.ndarray, bool]:
    """The pictures as list or (N, H, W, C) array, and whether `images` was a single one."""
    if isinstance(images, list | tuple):
        return images, False
    array = None if is_pil(images) else as_array(images)
    if array is not None and array.ndim == 4:
        return array, False
    return [images if array is None else array], True


def prepare(how: Preprocess, images: Sequence | np.ndarray, first: int = 0) -> np.ndarray:
    """`preprocess` of a list or an (N, H, W, C) array; errors count its pictures from `first`."""
    if isinstance(images, np.ndarray):
        images = check_pixels(images, "images")
        if images.shape[1:3] == tuple(how.size):  # all at once, to the last bit what the loop gives
            return normalize(_to_channels(images, how.channels), how)
    result = np.empty((len(images), *how.size, how.channels), "float32")
    for i, image in enumerate(images):
        pixels = _to_channels(read_pixels(image, f"images[{first + i}]"), how.channels)
        result[i] = normalize(_resize_and_crop(pixels, how), how)
    return result


def _to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    red, green, blue = pixels[..., 0:1], pixels[..., 1:2], pixels[..., 2:3]
    if pixels.dtype == np.uint8:  # Pillow's own integers, so that results equal its convert("L")
        red, green, blue = (c.astype("uint32") for c in (red, green, blue))
        return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype("uint8")
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _resize_and_crop(pixels: np.ndarray, how: Preprocess) -> np.ndarray:
    """(H, W, C) -> (*how.size, C) of the same dtype."""
    from PIL import Image

    height, width = how.size
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    factor = max(how.resize / min(rows, columns), height / rows, width / columns)
    full_height = max(height, round(rows * factor))
    full_width = max(width, round(columns * factor))
    top, left = (full_height - height) // 2, (full_width - width) // 2
    # Only what the crop keeps is computed: resizing all of a 1 x 5000 picture would be wasteful.
    box = (
        left * columns / full_width,
        top * rows / full_height,
        (left + width) * columns / full_width,
        (top + height) * rows / full_height,
    )
    resample = Image.Resampling[how.interpolation.upper()]

    def resize(array: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(array))
        return np.asarray(image.resize((width, height), resample, box=box))

    if pixels.dtype == np.uint8:
        return resize(pixels.squeeze(-1) if how.channels == 1 else pixels).reshape(
            height, width, how.channels
        )
    result = np.stack([resize(pixels[..., c]) for c in range(how.channels)], axis=-1)
    return np.clip(result, 0, 255)  # as uint8 does where bicubic and lanczos overshoot
