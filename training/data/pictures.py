"""Pictures of many sizes that stay encoded until they are asked for, e.g. ImageNet's."""

import io
import math
import operator
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.data.files import decoding
from zoo.errors import ZooError

TRIES = 10
LEAST_AREA = 0.08
ASPECTS = (3 / 4, 4 / 3)
DRAWS = 2 * TRIES + 2  # area and aspect of each try, then the window's position


class Pictures:
    """Encoded pictures, decoded one by one or, as random crops, in batches by several threads.

    All become RGB, whatever a file holds under its name. The orientation that a camera noted
    (EXIF) is not applied: the published programs for ImageNet do not apply it either.

    Args:
        encoded: the files' bytes by index, 0 to N - 1.
        origin: what errors call the place of the files.
        threads: how many decode at the same time; None for one per core.

    Example:

    >>> images = read("imagenet2012", "train", "data")
    >>> images.x[0].shape
    (375, 500, 3)
    """

    DRAWS = DRAWS

    def __init__(self, encoded: Sequence[bytes], origin="the list", threads: int | None = None):
        self.encoded, self.origin = encoded, origin
        self._pool = ThreadPoolExecutor(threads or os.cpu_count())

    def __len__(self):
        return len(self.encoded)

    def __getitem__(self, i: int) -> np.ndarray:
        """Picture `i`, (H, W, 3) uint8."""
        i = range(len(self))[operator.index(i)]  # an IndexError ends iteration
        return decode(self.encoded[i], self._name(i))

    def take(self, index: np.ndarray) -> "Pictures":
        """Some of the pictures, in the order of `index`; nothing is decoded."""
        return Pictures(_Taken(self.encoded, index), self.origin)

    def resized_crops(
        self, index: Sequence[int], draws: np.ndarray, size: tuple[int, int]
    ) -> np.ndarray:
        """A random window of each picture, scaled to `size` by antialiased bilinear interpolation.

        Args:
            index: n numbers of pictures.
            draws: (n, DRAWS) of [0, 1), all the randomness there is; see `window`.
            size: (height, width) of the result.

        Returns:
            (n, height, width, 3) uint8.

        Raises:
            ZooError: `draws` is not as said; a picture cannot be decoded.
        """
        draws, index = _checked(draws, index), [operator.index(i) for i in index]
        result = np.empty((len(index), *size, 3), "uint8")

        def crop(row: int) -> None:
            i = index[row]
            with decoding(self._name(i)), Image.open(io.BytesIO(self.encoded[i])) as image:
                result[row] = _crop(image, draws[row], size)

        for _ in self._pool.map(crop, range(len(index))):
            pass
        return result

    def _name(self, i: int) -> str:
        return f"picture {i} of {self.origin}"


@dataclass(frozen=True)
class _Taken(Sequence):
    """Some files of a sequence of them."""

    files: Sequence[bytes]
    index: np.ndarray

    def __len__(self):
        return len(self.index)

    def __getitem__(self, i):
        return self.files[int(self.index[i])]


def resized_crops(
    x: np.ndarray | Pictures, index: Sequence[int], draws: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """`Pictures.resized_crops`, of an array (N, H, W, C) uint8 too."""
    if not isinstance(x, np.ndarray):
        return x.resized_crops(index, draws, size)
    if x.dtype != np.uint8:
        raise ZooError(f"Random crops are made of uint8 pictures. Received: {x.dtype}")
    draws = _checked(draws, index)
    result = np.empty((len(index), *size, x.shape[-1]), "uint8")
    for row, i in enumerate(index):
        image = Image.fromarray(x[i] if x.shape[-1] == 3 else x[i, :, :, 0])
        box = window(*x.shape[1:3], draws[row])
        crop = image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)
        result[row] = np.asarray(crop).reshape(*size, -1)
    return result


def larger_windows(draws: np.ndarray, least: float) -> np.ndarray:
    """Draws whose windows have an area of at least `least`, uniform up to all of the picture.

    Args:
        draws: (n, DRAWS) of [0, 1), for windows of at least `LEAST_AREA`.
        least: share of the picture, from `LEAST_AREA` on and below 1.
    """
    if least == LEAST_AREA or draws.shape[1] != DRAWS:
        return draws
    draws = draws.copy()
    low = (least - LEAST_AREA) / (1 - LEAST_AREA)
    draws[:, : 2 * TRIES : 2] = low + (1 - low) * draws[:, : 2 * TRIES : 2]
    return draws


def _checked(draws: np.ndarray, index: Sequence[int]) -> np.ndarray:
    draws = np.asarray(draws, "float64")
    if draws.shape != (len(index), DRAWS) or not ((draws >= 0) & (draws < 1)).all():
        raise ZooError(
            f"draws must be of shape {(len(index), DRAWS)} with values in [0, 1). "
            f"Received: shape {draws.shape}."
        )
    return draws


def decode(data: bytes, name: str) -> np.ndarray:
    """The picture in an encoded file, (H, W, 3) uint8, as `Pictures` has it; errors call it `name`.

    Raises:
        ZooError: the file cannot be decoded.
    """
    with decoding(name), Image.open(io.BytesIO(data)) as image:
        return np.array(_rgb(_plain(image)))


def window(height: int, width: int, draws: Sequence[float]) -> tuple[int, int, int, int]:
    """A random window (left, top, right, bottom) of a picture of height x width pixels.

    Its area is uniform in 8 % to 100 % of the picture's, the logarithm of its aspect (width /
    height) uniform between those of 3/4 and 4/3; the first of ten tries that fits is taken,
    anywhere it fits. If none does, it is the largest centred window of an allowed aspect.

    Args:
        height, width: of the picture.
        draws: `Pictures.DRAWS` numbers of [0, 1).

    Source: Szegedy et al., "Going Deeper with Convolutions", section 6; ten tries and the centre
        as in torchvision's RandomResizedCrop.
    """
    low, high = ASPECTS
    for k in range(TRIES):
        area = height * width * (LEAST_AREA + (1 - LEAST_AREA) * draws[2 * k])
        aspect = low * (high / low) ** draws[2 * k + 1]
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = math.floor(draws[-2] * (width - w + 1))
            top = math.floor(draws[-1] * (height - h + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * high)), min(height, round(width / low))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _plain(image: Image.Image) -> Image.Image:
    """Grey or RGB: what can be interpolated."""
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _crop(image: Image.Image, draws: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    box: tuple[float, ...] = window(image.height, image.width, draws)
    # A JPEG can be decoded at 1/2, 1/4 or 1/8, as long as the window keeps more than `size`.
    spare = min((box[2] - box[0]) / size[1], (box[3] - box[1]) / size[0])
    if spare >= 2:
        width, height = image.size
        drafted = image.draft(None, (math.ceil(width / spare), math.ceil(height / spare)))
        if drafted:
            box = tuple(side * drafted[1][2] / width for side in box)
    return np.asarray(_rgb(_plain(image).resize(size[::-1], Image.Resampling.BILINEAR, box=box)))
