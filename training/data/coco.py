"""COCO (Lin et al. 2014) from its own files or tensorflow-datasets, and sets of its format."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.data import prepared
from training.data.files import decoding
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages, upright_size
from zoo.detection.coco import read_annotations, read_coco
from zoo.detection.problems import Problems
from zoo.errors import MissingFileError, UnknownNameError

NAMES = ("coco2017", "folder")
SPLITS = {"train": "train2017", "validation": "val2017"}

# COCO counts its categories to 90, but these were never used.
UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def read_detections(name: str, split: str, data_dir: str | Path) -> AnnotatedImages:
    """Open one split of a detection set.

    Sources of "coco2017", in this order: COCO's own files, `annotations/instances_train2017.json`
    beside `train2017/` or `images/train2017/`, in `data_dir/coco2017`, `data_dir/coco` or
    `data_dir`; and a folder of tensorflow-datasets, `data_dir/coco/2017`, as ArrayRecord.

    "folder" is any set of COCO's format, see `zoo.detection.read_coco`, which also says what is
    left out of either.

    Args:
        name: "coco2017" or "folder".
        split: "train" or "validation".
        data_dir: see above.

    Raises:
        ZooError: unknown name or split; a broken file, or one without anything to use; TFRecord,
            which has no random access; several annotation files of a split.
        MissingFileError: nothing found.

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
        return read_coco(data_dir, split)
    part, looked = SPLITS[split], []
    for folder in (data_dir / "coco2017", data_dir / "coco", data_dir):
        path = folder / "annotations" / f"instances_{part}.json"
        looked.append(str(path))
        if path.is_file():
            return read_annotations(path, [folder / part, folder / "images" / part])
    for folder in (data_dir / "coco" / "2017", data_dir / "2017", data_dir):
        looked.append(str(folder / "VERSION" / "dataset_info.json"))
        if version_folder := prepared.find(folder, "coco"):
            return _from_tfds(version_folder, split)
    raise MissingFileError(f"no files of {name} ({split}); looked for {', '.join(looked)}")


def _from_tfds(version_folder: Path, split: str) -> AnnotatedImages:
    def make(example: dict[str, Any]) -> AnnotatedImage:
        with decoding(version_folder):
            objects = example["objects"]
            with Image.open(io.BytesIO(example["image"])) as image:
                height, width = upright_size(image)
            boxes = np.array(objects["bbox"], np.float32).reshape(-1, 4)
            return AnnotatedImage(
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
    return AnnotatedImages(make, rows, names, category_ids, Problems(version_folder))
