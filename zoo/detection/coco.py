"""Folders of photos and annotations in COCO's format (Lin et al. 2014)."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.detection import coco_json
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.coco_files import find_annotations
from zoo.errors import UnknownNameError

SPLITS = ("train", "validation")


def read_coco(folder: str | os.PathLike, split: str = "train") -> AnnotatedImages:
    """Open one split of a folder in COCO's format.

    The annotations are a JSON file in the folder or a folder of it, with the split as a word of
    its path ("train"; "val", "valid" or "validation"), the pictures beside it, in `images/`, or
    in a folder named as COCO's are. A folder's only JSON file is its training set.

    Pictures without objects are among them. Boxes and outlines are those of the upright picture,
    see `AnnotatedImage`. What cannot be used is left out, and one warning reports it by file and
    id: pictures that are missing; objects of unlisted pictures or unknown categories, without a
    needed key, with a box of zero area or outside the picture. Boxes that leave the picture by
    more than a pixel are clipped; a missing box is that of the outline. Of an outline the broken
    parts go; an object without any, where others have some, has a box to be measured by, but a
    detector with masks takes it for neither object nor background. Names of categories lose
    control characters and the blanks around them.

    Args:
        folder: path of the set.
        split: "train" or "validation".

    Returns:
        `AnnotatedImages`.

    Raises:
        MissingFileError: there is no annotation file of this split.
        ZooError: unknown split; a broken file, or one without anything to use; several annotation
            files of a split.

    Example:

    >>> import json, pathlib, tempfile
    >>> from PIL import Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (80, 60)).save(folder / "1.jpg")
    >>> content = {
    ...     "images": [{"id": 1, "file_name": "1.jpg", "height": 60, "width": 80}],
    ...     "annotations": [{"image_id": 1, "category_id": 7, "bbox": [10, 20, 20, 30]}],
    ...     "categories": [{"id": 7, "name": "dog"}],
    ... }
    >>> _ = (folder / "train.json").write_text(json.dumps(content))
    >>> images = zoo.detection.read_coco(folder)
    >>> images.labels, images[0].boxes.tolist()
    (('dog',), [[10.0, 20.0, 30.0, 50.0]])
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    return read_annotations(*find_annotations(folder, split))


def read_annotations(path: Path, roots: Sequence[Path]) -> AnnotatedImages:
    """Read one JSON file of annotations.

    Args:
        path: Path of the file.
        roots: folders where its pictures may be; the first that has most of them is taken.

    Returns:
        `AnnotatedImages`.

    Raises:
        ZooError: the file is not of COCO's kind, or nothing in it can be used.
    """
    content = coco_json.read(path, roots)
    if content.problems:
        warnings.warn(str(content.problems), stacklevel=3)

    def make(row: tuple[dict[str, Any], list[dict[str, Any]]]) -> AnnotatedImage:
        picture, objects = row
        boxes = np.array([o["bbox"] for o in objects], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]  # COCO: left, top, width, height
        return AnnotatedImage(
            picture["id"],
            picture["path"],
            (picture["height"], picture["width"]),
            boxes.astype(np.float32),
            np.array([o["label"] for o in objects], np.int64),
            np.array([o["iscrowd"] for o in objects], bool),
            np.array([o["area"] for o in objects], np.float32),
            tuple(o["segmentation"] for o in objects) if content.outlines else None,
        )

    return AnnotatedImages(
        make, content.rows, content.labels, content.category_ids, content.problems
    )
