"""What a training's examples are, in one short text, to tell other ones of the same number."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from training.data.table import Images
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages

_MOST = 1000  # examples that are looked at where each is a file of its own


def of_images(images: Images) -> str:
    """Of all labels and images of an array; of encoded pictures some, evenly spaced.

    Args:
        images: of a split.

    Returns:
        str, hexadecimal.

    Example:

    >>> x, y = np.zeros((2, 4, 4, 1), "uint8"), np.array([0, 1])
    >>> len(of_images(Images(x, y, ("a", "b"))))
    32
    """
    x, y = images.x, images.y.astype("<i8")
    if isinstance(x, np.ndarray):
        return _digest([y.data, *(np.ascontiguousarray(image).data for image in x)])
    return _digest([y.data, *(x.encoded[i] for i in _places(len(y)))])


def of_photos(photos: AnnotatedImages) -> str:
    """Of annotated photos, evenly spaced: their files' names and sizes, and their objects.

    Args:
        photos: of a split.

    Returns:
        str, hexadecimal.
    """
    return _digest(_of_photo(photos[i]) for i in _places(len(photos)))


def _of_photo(photo: AnnotatedImage) -> bytes:
    file = photo.image
    size = file.stat().st_size if isinstance(file, Path) else len(file)
    name = file.name if isinstance(file, Path) else ""
    arrays = (photo.boxes.astype("<f4"), photo.labels.astype("<i8"), photo.crowd)
    text = f"{photo.image_id} {name} {size} {photo.size}"
    return text.encode() + b"".join(array.tobytes() for array in arrays)


def _places(count: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST)).round().astype(int)).tolist()


def _digest(parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
