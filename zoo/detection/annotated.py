"""Photos with their objects: what a detector learns from and is measured on."""

import io
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.detection.problems import Problems, decoding
from zoo.errors import ZooError


@dataclass(frozen=True)
class AnnotatedImage:
    """One picture with its n objects.

    Attributes:
        image_id: number of the picture in its source.
        image: its file, or that file's bytes.
        size: (height, width) in pixels, as the source says.
        boxes: (n, 4) float32, left, top, right, bottom in pixels from the upper left corner.
        labels: (n,) int64, indices into `AnnotatedImages.labels`.
        crowd: (n,) bool, whether the box holds many objects of a kind; those are not counted as
            single objects.
        area: (n,) float32, square pixels of the object itself; whole numbers from
            tensorflow-datasets.
        segmentation: n outlines as in COCO's JSON (lists of polygons, or run lengths of a mask),
            None for an object without; None altogether where the source has none, as
            tensorflow-datasets.
    """

    image_id: int
    image: Path | bytes
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    segmentation: tuple[Any, ...] | None

    def pixels(self) -> np.ndarray:
        """The picture, (H, W, 3) uint8 RGB, not turned by what a camera noted: boxes are not.

        Raises:
            ZooError: the file is corrupt, or has not the size that the source says.
        """
        name = f"picture {self.image_id}"
        if isinstance(self.image, bytes):
            pixels = _decode(self.image, name)
        else:
            name += f", {self.image}"
            pixels = _decode(self.image.read_bytes(), name)
        if pixels.shape[:2] != self.size:
            raise ZooError(
                f"{name} is of {pixels.shape[:2]} pixels (height, width), but its annotations "
                f"are of {self.size}; its boxes would be wrong"
            )
        return pixels


class AnnotatedImages(Sequence[AnnotatedImage]):
    """The pictures of a split, made when asked for.

    Attributes:
        labels: names of the classes.
        category_ids: the source's own numbers of the classes, which COCO's evaluation takes:
            class i of a `AnnotatedImage` is `category_ids[i]` there.
        problems: what the source holds that is left out, or changed.
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

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, i):
        return self._make(self._rows[range(len(self))[i]])

    def readable(self, threads: int | None = None) -> "AnnotatedImages":
        """Those whose pictures `AnnotatedImage.pixels` can give, each decoded once to see.

        Others are added to `problems` and told in one warning. Worth its time (10 ms a picture
        and core) before a long training on pictures that were never read before.

        Args:
            threads: how many decode at the same time; None for one per core.

        Raises:
            ZooError: there is none.
        """

        def trouble(i: int) -> str:
            try:
                self[i].pixels()
            except (OSError, ZooError) as error:
                return str(error)
            return ""

        problems = Problems(self.problems.source)
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            troubles = list(pool.map(trouble, range(len(self))))
        for told in filter(None, troubles):
            problems.add("picture that cannot be read, left out", told)
        good = [i for i, told in enumerate(troubles) if not told]
        if not good:
            raise ZooError(f"No picture can be read.\n{problems}")
        if problems:
            warnings.warn(str(problems), stacklevel=2)
        for kind, places in self.problems.found.items():
            problems.found[kind] = places + problems.found.get(kind, [])
        return AnnotatedImages(self.__getitem__, good, self.labels, self.category_ids, problems)


def _decode(data: bytes, name: str) -> np.ndarray:
    with decoding(name), Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))
