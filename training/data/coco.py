"""COCO 2017 (Lin et al. 2014): photos with boxes and outlines of objects in 80 classes."""

import io
import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.data import prepared
from training.data.files import decoding
from training.data.pictures import decode
from zoo.errors import UnknownNameError

SPLITS = {"train": "train2017", "validation": "val2017"}

# COCO counts its categories to 90, but these were never used.
UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


@dataclass(frozen=True)
class Detection:
    """One picture with its n objects.

    Attributes:
        image_id: COCO's number of the picture.
        image: its file, or that file's bytes.
        boxes: (n, 4) float32, left, top, right, bottom in pixels from the upper left corner.
        labels: (n,) int64, indices into `Detections.labels`.
        crowd: (n,) bool, whether the box holds many objects of a kind; those are not counted as
            single objects.
        area: (n,) float32, square pixels of the object itself; whole numbers from
            tensorflow-datasets.
        segmentation: n outlines as in COCO's JSON (lists of polygons, or run lengths of a mask);
            None from tensorflow-datasets, which has none.
    """

    image_id: int
    image: Path | bytes
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    segmentation: tuple[Any, ...] | None

    def pixels(self) -> np.ndarray:
        """The picture, (H, W, 3) uint8 RGB, not turned by what a camera noted: boxes are not."""
        if isinstance(self.image, bytes):
            return decode(self.image, f"picture {self.image_id}")
        return decode(self.image.read_bytes(), str(self.image))


class Detections(Sequence[Detection]):
    """The pictures of a split, made when asked for.

    Attributes:
        labels: names of the classes.
        category_ids: COCO's own numbers of the classes, which its evaluation takes.
    """

    def __init__(
        self,
        make: Callable[[Any], Detection],
        rows: Sequence[Any],
        labels: tuple[str, ...],
        category_ids: tuple[int, ...],
    ):
        self._make, self._rows = make, rows
        self.labels, self.category_ids = labels, category_ids

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, i):
        return self._make(self._rows[range(len(self))[i]])


def read_detections(name: str, split: str, data_dir: str | Path) -> Detections:
    """Open one split of a detection set.

    Sources, in this order: COCO's own files, `annotations/instances_train2017.json` beside
    `train2017/` or `images/train2017/`, in `data_dir/coco2017`, `data_dir/coco` or `data_dir`; and
    a folder of tensorflow-datasets, `data_dir/coco/2017`, as ArrayRecord. Pictures without objects
    are among them.

    Args:
        name: "coco2017".
        split: "train" or "validation".
        data_dir: see above.

    Raises:
        ValueError: unknown name or split; a broken file; TFRecord, which has no random access.
        FileNotFoundError: nothing found.

    Example:

    >>> read_detections("coco2017", "validation", "data")[0].boxes.shape
    (20, 4)
    """
    if name != "coco2017":
        raise UnknownNameError("detection set", name, ["coco2017"])
    if split not in SPLITS:
        raise UnknownNameError(f"split of {name}", split, SPLITS)
    data_dir = Path(os.path.abspath(Path(data_dir).expanduser()))
    part, looked = SPLITS[split], []
    for folder in (data_dir / "coco2017", data_dir / "coco", data_dir):
        path = folder / "annotations" / f"instances_{part}.json"
        looked.append(str(path))
        if path.is_file():
            return _from_json(path, folder, part)
    for folder in (data_dir / "coco" / "2017", data_dir / "2017", data_dir):
        looked.append(str(folder / "VERSION" / "dataset_info.json"))
        if version_folder := prepared.find(folder, "coco"):
            return _from_tfds(version_folder, split)
    raise FileNotFoundError(f"no files of {name} ({split}); looked for {', '.join(looked)}")


def _from_json(path: Path, folder: Path, part: str) -> Detections:
    with decoding(path):
        content = json.loads(path.read_text("utf-8"))
        categories = sorted(content["categories"], key=lambda category: category["id"])
        category_ids = tuple(category["id"] for category in categories)
        names = tuple(category["name"] for category in categories)
        objects = defaultdict(list)
        for annotation in content["annotations"]:
            objects[annotation["image_id"]].append(annotation)
        rows = [(image, objects[image["id"]]) for image in content["images"]]
    pictures = folder / part
    if not pictures.is_dir():
        pictures = folder / "images" / part
    label = {category_id: i for i, category_id in enumerate(category_ids)}

    def make(row: tuple[dict, list[dict]]) -> Detection:
        image, annotations = row
        with decoding(path):
            boxes = np.array([a["bbox"] for a in annotations], np.float64).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]  # COCO: left, top, width, height
            return Detection(
                image["id"],
                pictures / image["file_name"],
                boxes.astype(np.float32),
                np.array([label[a["category_id"]] for a in annotations], np.int64),
                np.array([a["iscrowd"] for a in annotations], bool),
                np.array([a["area"] for a in annotations], np.float32),
                tuple(a["segmentation"] for a in annotations),
            )

    return Detections(make, rows, names, category_ids)


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
                # There: top, left, bottom, right in parts of the picture.
                boxes[:, [1, 0, 3, 2]] * np.array([width, height] * 2, np.float32),
                np.array(objects["label"], np.int64),
                np.array(objects["is_crowd"], bool),
                np.array(objects["area"], np.float32),
                None,
            )

    names = prepared.class_names(version_folder, "objects/label")
    category_ids = tuple(i for i in range(1, 91) if i not in UNUSED)
    return Detections(make, prepared.source(version_folder, split), names, category_ids)
