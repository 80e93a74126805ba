"""Photos with their objects: what a detector learns from and is measured on."""

import io
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.detection.problems import Problems
from zoo.errors import ImageError, ZooError
from zoo.images import read_image

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112  # the tag in EXIF
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange height and width


@dataclass(frozen=True)
class AnnotatedImage:
    """One picture with its n objects.

    One rule holds for training, measuring and prediction: a picture is turned upright by the
    orientation that its camera noted (EXIF), and boxes and outlines are in pixels of the upright
    picture.

    Attributes:
        image_id: int, number of the picture in its source.
        image: Path of its file, or that file's bytes.
        size: (height, width) in pixels of the upright picture, as the source says.
        boxes: (n, 4) float32, left, top, right, bottom in pixels from the upper left corner.
        labels: (n,) int64, indices into `AnnotatedImages.labels`.
        crowd: (n,) bool, whether the box holds many objects of a kind; those are not counted as
            single objects.
        area: (n,) float32, square pixels of the object itself; whole numbers from
            tensorflow-datasets.
        segmentation: n outlines as in COCO's JSON (lists of polygons, or run lengths of a mask),
            None for an object without; None altogether where the source has none, as
            tensorflow-datasets.

    Example:

    >>> import pathlib
    >>> image = AnnotatedImage(
    ...     image_id=42,
    ...     image=pathlib.Path("street.jpg"),
    ...     size=(60, 80),
    ...     boxes=np.array([[10, 20, 30, 50]], "float32"),
    ...     labels=np.array([0]),
    ...     crowd=np.array([False]),
    ...     area=np.array([600], "float32"),
    ...     segmentation=None,
    ... )
    >>> image.name
    'picture 42, street.jpg'
    """

    image_id: int
    image: Path | bytes
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    segmentation: tuple[Any, ...] | None

    @property
    def name(self) -> str:
        """What reports call it."""
        name = f"picture {self.image_id}"
        return name if isinstance(self.image, bytes) else f"{name}, {self.image}"

    def pixels(self) -> np.ndarray:
        """The upright picture.

        Returns:
            uint8 array (height, width, 3), RGB, see `zoo.images.read_image`.

        Raises:
            ZooError: the file is missing or corrupt, or has not the size that the source says.
        """
        try:
            if isinstance(self.image, bytes):
                with _opened(self.image) as image:
                    pixels = read_image(image)
            else:
                pixels = read_image(self.image)
        except ImageError as error:
            raise ImageError(f"picture {self.image_id}: {error}") from error
        if pixels.shape[:2] != self.size:
            turn, remedy = "", ""
            if (orientation := self.orientation()) != 1:
                turn = f" after it is turned upright by its EXIF orientation {orientation}"
                remedy = ". Annotate upright photos, or remove the orientation from the files"
            raise ZooError(
                f"{self.name} is of {pixels.shape[:2]} pixels (height, width){turn}, but its "
                f"annotations are of {self.size}; its boxes would be wrong{remedy}"
            )
        return np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)

    def orientation(self) -> int:
        """How the camera noted to turn the picture: EXIF's 2 to 8, or 1 for not at all."""
        with _opened(self.image) as image:
            return exif_orientation(image)


class AnnotatedImages(Sequence[AnnotatedImage]):
    """The pictures of a split, made when asked for.

    Args:
        make: function of a row that gives its `AnnotatedImage`.
        rows: sequence of whatever `make` takes.
        labels, category_ids, problems: see below.

    Attributes:
        labels: tuple of str, names of the classes.
        category_ids: tuple of int, the source's own numbers of the classes, which COCO's
            evaluation takes: class i of an `AnnotatedImage` is `category_ids[i]` there.
        problems: `Problems`, what the source holds that is left out, or changed.

    Example:

    >>> images = AnnotatedImages(lambda row: row, [], ("dog",), (7,), Problems("train.json"))
    >>> len(images), images.labels
    (0, ('dog',))
    """

    def __init__(
        self,
        make: Callable[[Any], AnnotatedImage],
        rows: Sequence[Any],
        labels: tuple[str, ...],
        category_ids: tuple[int, ...],
        problems: Problems,
    ):
        self._make, self._rows = make, rows
        self.labels, self.category_ids, self.problems = labels, category_ids, problems

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: Any) -> Any:
        return self._make(self._rows[range(len(self))[i]])

    def readable(self, threads: int | None = None) -> "AnnotatedImages":
        """Those whose pictures `AnnotatedImage.pixels` can give, each decoded once to see.

        The others are added to `problems`, and so are pictures that were turned upright: nobody
        but the annotator knows whether the boxes were drawn on them as they are now. One warning
        reports both. Worth its time (10 ms a picture and core) before a long training on pictures
        that were never read before.

        Args:
            threads: int, how many decode at the same time; None for one per core.

        Returns:
            `AnnotatedImages`.

        Raises:
            ZooError: there is none.
        """

        def check(i: int) -> tuple[str, str]:
            """What is wrong, and the note of a turn."""
            image = self[i]
            try:
                image.pixels()
                turn = image.orientation()
            except (OSError, ZooError) as error:
                return str(error), ""
            return "", "" if turn == 1 else f"{image.name}: EXIF orientation {turn}"

        news = Problems(self.problems.source)
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            checks = list(pool.map(check, range(len(self))))
        for error, turn in checks:
            if error:
                news.add("picture that cannot be read, left out", error)
            if turn:
                news.add("picture turned upright, to which its boxes must belong", turn)
        good = [i for i, (error, _) in enumerate(checks) if not error]
        if not good:
            raise ZooError(f"No picture can be read.\n{news}")
        if news:
            warnings.warn(str(news), stacklevel=2)
        problems = Problems(self.problems.source)
        problems.extend(self.problems)
        problems.extend(news)
        return AnnotatedImages(self.__getitem__, good, self.labels, self.category_ids, problems)


def exif_orientation(image: "Image.Image") -> int:
    """The orientation in a PIL image's EXIF data; 1 where there is none.

    Args:
        image: PIL image.

    Returns:
        int, 1 to 8.

    Example:

    >>> from PIL import Image
    >>> exif_orientation(Image.new("RGB", (80, 60)))
    1
    """
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:  # broken EXIF data is no reason to refuse the picture
        return 1
    return value if value in range(2, 9) else 1


def upright_size(image: "Image.Image") -> tuple[int, int]:
    """(height, width) of a PIL image after it is turned upright.

    Args:
        image: PIL image.

    Returns:
        Tuple of int.

    Example:

    >>> from PIL import Image
    >>> upright_size(Image.new("RGB", (80, 60)))
    (60, 80)
    """
    sideways = exif_orientation(image) in _SIDEWAYS
    return (image.width, image.height) if sideways else (image.height, image.width)


def _opened(image: Path | bytes) -> "Image.Image":
    from PIL import Image

    try:
        return Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    except Exception as error:  # Pillow's readers raise of every kind on damaged headers
        raise ImageError(f"cannot be decoded ({error}): get it anew, or convert it.") from error
