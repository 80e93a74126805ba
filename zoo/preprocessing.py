"""From pictures to what a model takes: the one place for resize, crop and scaling."""

import dataclasses
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.images import as_array, check_pixels, is_pil, read_pixels
from zoo.types import Tensor

__all__ = [
    "CIFAR",
    "COIL20",
    "IMAGENET",
    "INTERPOLATIONS",
    "PRESETS",
    "TINY_IMAGENET",
    "USPS",
    "Preprocess",
    "normalize",
    "preprocess",
]

INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")


@dataclass(frozen=True)
class Preprocess:
    """How a checkpoint's images are prepared: y = (x * scale - mean) / std for x in 0..255.

    Part of its card.

    Attributes:
        size: pair of ints, (height, width) of the array that the model takes.
        channels: int, 1 (grey) or 3 (RGB).
        resize: int. Length in pixels of the shorter side after resizing, before the centre crop
            of `size`.
        interpolation: str, "bilinear", "bicubic", "lanczos" or "nearest", with antialiasing.
        scale: float.
        mean: tuple of floats, one per channel, or one per pixel and channel: height * width *
            channels, in the order of rows, columns, channels.
        std: tuple of floats above 0, as many as one of the two.

    Raises:
        ZooError: for what no picture could be prepared by.

    Example:

    >>> settings = zoo.preprocessing.Preprocess(
    ...     size=(4, 4), channels=1, resize=4, interpolation="bilinear", scale=1 / 255,
    ...     mean=(0.5,), std=(0.5,),
    ... )
    >>> zoo.preprocess(settings, np.full((9, 9), 255, "uint8"))[0, 0, 0]
    array([1.], dtype=float32)
    """

    size: tuple[int, int]
    channels: int
    resize: int
    interpolation: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # cards are JSON, which has no numbers of NumPy
            object.__setattr__(self, field.name, _python(getattr(self, field.name)))
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

    def of_size(self, size: tuple[int, int]) -> "Preprocess":
        """The same for arrays of another size: the crop keeps its share of the picture.

        Args:
            size: pair of ints, (height, width).

        Raises:
            ZooError: mean or std are given per pixel.

        Example:

        >>> zoo.preprocessing.IMAGENET.of_size((112, 112)).resize
        128
        """
        if max(len(self.mean), len(self.std)) > self.channels:
            raise ZooError(
                f"Preprocess: mean and std are given for each pixel of {self.size}, so pictures "
                f"cannot be prepared for another size. Received: size={size}"
            )
        resize = max(1, round(min(size) * self.resize / min(self.size)))
        return dataclasses.replace(self, size=size, resize=resize)


def _python(value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(map(_python, value))
    return value.item() if isinstance(value, np.generic) else value


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
    """Makes of pictures of any kind and size the array that `model` takes.

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
        ZooError: the model does not know settings.

    Example:

    >>> photos = [np.zeros((300, 451, 3), "uint8"), np.zeros((28, 28), "uint8")]
    >>> zoo.preprocess(zoo.preprocessing.CIFAR, photos).shape
    (2, 32, 32, 3)
    """
    return prepare(settings_of(model), as_sequence(images)[0])


def normalize(images: Tensor, settings: Preprocess) -> Tensor:
    """Scales pixels 0..255 as the model takes them: (x * scale - mean) / std.

    Args:
        images: array or tensor (…, channels) on the scale 0..255.
        settings: `Preprocess`.

    Returns:
        Array or tensor of the same shape, float32.

    Raises:
        ZooError: mean or std are given per pixel, and the images have not the model's size.

    Example:

    >>> white = np.full((1, 1, 3), 255, "uint8")
    >>> print(zoo.preprocessing.normalize(white, zoo.preprocessing.IMAGENET).round(2))
    [[[2.25 2.43 2.64]]]
    """
    import keras

    mean, std = (_statistics(values, images, settings) for values in (settings.mean, settings.std))
    if isinstance(images, np.ndarray):
        images = images.astype("float32", copy=False)
    elif keras.ops.is_tensor(images):
        images = keras.ops.cast(images, "float32")
        mean, std = keras.ops.convert_to_tensor(mean), keras.ops.convert_to_tensor(std)
    return (images * settings.scale - mean) / std


def _statistics(values: tuple[float, ...], images: Tensor, settings: Preprocess) -> np.ndarray:
    """(channels,), or (height, width, channels) where there is one number for every pixel."""
    array = np.asarray(values, "float32")
    if len(values) == settings.channels:
        return array
    wanted, shape = (*settings.size, settings.channels), tuple(images.shape)
    if len(shape) < 3 or any(n not in (None, m) for n, m in zip(shape[-3:], wanted, strict=True)):
        raise ZooError(
            f"Mean and deviation of each pixel need images of shape (…, {str(wanted)[1:-1]}). "
            f"Received: {shape}"
        )
    return array.reshape(wanted)


def settings_of(model: Any) -> Preprocess:
    """The `Preprocess` on the model's card, or which a conversion gave it; a `Preprocess` is its
    own."""
    if isinstance(model, Preprocess):
        return model
    settings = getattr(getattr(model, "zoo_card", None), "preprocess", None)
    settings = settings or getattr(model, "zoo_preprocess", None)
    if settings is None:
        raise ZooError(
            f"{getattr(model, 'name', model)!r} has no card that says how its images are "
            "prepared: copies and .keras files lose it. Load it with zoo.load(NAME), or give "
            "zoo.predict labels=… and preprocess=zoo.preprocessing.CIFAR or another Preprocess, "
            "zoo.preprocess that in place of the model."
        )
    return settings


def as_sequence(images: Any) -> tuple[Sequence[Any] | np.ndarray, bool]:
    """The pictures as list or (N, H, W, C) array, and whether `images` was a single one."""
    if isinstance(images, list | tuple):
        return images, False
    array = None if is_pil(images) else as_array(images)
    if array is not None and array.dtype.kind in "OUT":  # of paths or PIL images
        return list(array.reshape(-1)), array.ndim == 0
    if array is not None and array.ndim == 4:
        return array, False
    return [images if array is None else array], True


def prepare(settings: Preprocess, images: Sequence[Any] | np.ndarray, first: int = 0) -> np.ndarray:
    """`preprocess` of a list or an (N, H, W, C) array; errors count its pictures from `first`."""
    if isinstance(images, np.ndarray):
        images = check_pixels(images, "images")
        if images.shape[1:3] == tuple(
            settings.size
        ):  # all at once, to the last bit what the loop gives
            return normalize(_to_channels(images, settings.channels), settings)
    result = np.empty((len(images), *settings.size, settings.channels), "float32")
    for i, image in enumerate(images):
        pixels = _to_channels(read_pixels(image, f"images[{first + i}]"), settings.channels)
        result[i] = normalize(_resize_and_crop(pixels, settings), settings)
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


def _resize_and_crop(pixels: np.ndarray, settings: Preprocess) -> np.ndarray:
    """(H, W, C) -> (*settings.size, C) of the same dtype."""
    from PIL import Image

    height, width = settings.size
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    factor = max(settings.resize / min(rows, columns), height / rows, width / columns)
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
    resample = Image.Resampling[settings.interpolation.upper()]

    def resize(array: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(array))
        return np.asarray(image.resize((width, height), resample, box=box))

    if pixels.dtype == np.uint8:
        return resize(pixels.squeeze(-1) if settings.channels == 1 else pixels).reshape(
            height, width, settings.channels
        )
    result = np.stack([resize(pixels[..., c]) for c in range(settings.channels)], axis=-1)
    return np.clip(result, 0, 255)  # as uint8 does where bicubic and lanczos overshoot
