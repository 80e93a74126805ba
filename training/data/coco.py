"""Pictures with boxes and outlines of objects: COCO (Lin et al. 2014), and sets of its format."""

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

from training.data import coco_json, prepared
from training.data.coco_json import Problems
from training.data.files import decoding
from training.data.pictures import decode
from zoo.errors import UnknownNameError, ZooError

NAMES = ("coco2017", "folder")
SPLITS = {"train": "train2017", "validation": "val2017"}

# COCO counts its categories to 90, but these were never used.
UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


@dataclass(frozen=True)
class Detection:
    """One picture with its n objects.

    Attributes:
        image_id: number of the picture in its source.
        image: its file, or that file's bytes.
        size: (height, width) in pixels, as the source says.
        boxes: (n, 4) float32, left, top, right, bottom in pixels from the upper left corner.
        labels: (n,) int64, indices into `Detections.labels`.
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
            pixels = decode(self.image, name)
        else:
            name += f", {self.image}"
            pixels = decode(self.image.read_bytes(), name)
        if pixels.shape[:2] != self.size:
            raise ZooError(
                f"{name} is of {pixels.shape[:2]} pixels (height, width), but its annotations "
                f"are of {self.size}; its boxes would be wrong"
            )
        return pixels


class Detections(Sequence[Detection]):
    """The pictures of a split, made when asked for.

    Attributes:
        labels: names of the classes.
        category_ids: the source's own numbers of the classes, which COCO's evaluation takes:
            class i of a `Detection` is `category_ids[i]` there.
        problems: what the source holds that is left out, or changed.
    """

    def __init__(
        self,
        make: Callable[[Any], Detection],
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

    def readable(self, threads: int | None = None) -> "Detections":
        """Those whose pictures `Detection.pixels` can give, each decoded once to see.

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
        return Detections(self.__getitem__, good, self.labels, self.category_ids, problems)


def read_detections(name: str, split: str, data_dir: str | Path) -> Detections:
    """Open one split of a detection set.

    Sources of "coco2017", in this order: COCO's own files, `annotations/instances_train2017.json`
    beside `train2017/` or `images/train2017/`, in `data_dir/coco2017`, `data_dir/coco` or
    `data_dir`; and a folder of tensorflow-datasets, `data_dir/coco/2017`, as ArrayRecord.

    "folder" is any set of COCO's format: a JSON file in `data_dir` or a folder of it, with the
    split as a word of its path ("train"; "val", "valid" or "validation"), the pictures beside it,
    in `images/`, or in a folder named as COCO's are. A folder's only JSON file is its training set.

    Pictures without objects are among them. What cannot be used is left out and told in one
    warning: pictures that are missing; objects of unlisted pictures or unknown categories, without
    a needed key, with a box of zero area or outside the picture. Boxes that leave the picture by
    more than a pixel are clipped; objects whose outline is broken stay without.

    Args:
        name: "coco2017" or "folder".
        split: "train" or "validation".
        data_dir: see above.

    Raises:
        ValueError: unknown name or split; a broken file, or one without anything to use; TFRecord,
            which has no random access; several annotation files of a split.
        FileNotFoundError: nothing found.

    Example:

    >>> read_detections("coco2017", "validation", "data")[0].boxes.shape
    (20, 4)
    >>> read_detections("folder", "train", "data/fruit").labels
    ('apple', 'pear')
    """
    if name not in NAMES:
        raise UnknownNameError("detection set", name, NAMES)
    if split not in SPLITS:
        raise UnknownNameError(f"split of {name}", split, SPLITS)
    data_dir = Path(os.path.abspath(Path(data_dir).expanduser()))
    if name == "folder":
        return _from_json(*coco_json.find(data_dir, split))
    part, looked = SPLITS[split], []
    for folder in (data_dir / "coco2017", data_dir / "coco", data_dir):
        path = folder / "annotations" / f"instances_{part}.json"
        looked.append(str(path))
        if path.is_file():
            return _from_json(path, [folder / part, folder / "images" / part])
    for folder in (data_dir / "coco" / "2017", data_dir / "2017", data_dir):
        looked.append(str(folder / "VERSION" / "dataset_info.json"))
        if version_folder := prepared.find(folder, "coco"):
            return _from_tfds(version_folder, split)
    raise FileNotFoundError(f"no files of {name} ({split}); looked for {', '.join(looked)}")


def _from_json(path: Path, roots: Sequence[Path]) -> Detections:
    content = coco_json.read(path, roots)
    if content.problems:
        warnings.warn(str(content.problems), stacklevel=3)

    def make(row: tuple[dict[str, Any], list[dict[str, Any]]]) -> Detection:
        picture, objects = row
        boxes = np.array([o["bbox"] for o in objects], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]  # COCO: left, top, width, height
        return Detection(
            picture["id"],
            picture["path"],
            (picture["height"], picture["width"]),
            boxes.astype(np.float32),
            np.array([o["label"] for o in objects], np.int64),
            np.array([o["iscrowd"] for o in objects], bool),
            np.array([o["area"] for o in objects], np.float32),
            tuple(o["segmentation"] for o in objects) if content.outlines else None,
        )

    return Detections(make, content.rows, content.labels, content.category_ids, content.problems)


def _from_tfds(version_folder: Path, split: str) -> Detections:
    def make(example: dict[str, Any]) -> Detection:
        with decoding(version_folder):
            objects = example["objects"]
            with Image.open(io.BytesIO(example["image"])) as image:
                width, height = image.size
            boxes = np.array(objects["bbox"], np.float32).reshape(-1, 4)
            return Detection(
                int(example["image/id"]),
                example["image"],
                (height, width),
                # There: top, left, bottom, right in parts of the picture.
                boxes[:, [1, 0, 3, 2]] * np.array([width, height] * 2, np.float32),
                np.array(objects["label"], np.int64),
                np.array(objects["is_crowd"], bool),
                np.array(objects["area"], np.float32),
                None,
            )

    names = prepared.class_names(version_folder, "objects/label")
    category_ids = tuple(i for i in range(1, 91) if i not in UNUSED)
    rows = prepared.source(version_folder, split)
    return Detections(make, rows, names, category_ids, Problems(version_folder))
