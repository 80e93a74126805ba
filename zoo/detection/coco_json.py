"""Annotations in COCO's JSON, and which of them can be used."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.detection.annotated import upright_size
from zoo.detection.coco_files import PictureFiles
from zoo.detection.coco_objects import ObjectEntry, whole_number
from zoo.detection.problems import Problems
from zoo.errors import ZooError

# What no label may hold: control characters, line separators, marks of direction, lone surrogates.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")

_NOT_LEARNED = "object without usable outline, not learned where masks are learned"


@dataclass(frozen=True)
class Content:
    """A file of annotations, without what cannot be used.

    Attributes:
        rows: (entry of a picture, annotations of its objects) in the file's order. An entry has
            "id", "path", "height" and "width"; an annotation "bbox" (left, top, width, height),
            "label" (index into `labels`), "iscrowd", "area" and "segmentation", None where there
            is none.
        labels: names of the categories, by ascending number.
        category_ids: their numbers.
        outlines: whether any object has one.
        problems: of everything else.
    """

    rows: list[tuple[dict[str, Any], list[dict[str, Any]]]]
    labels: tuple[str, ...]
    category_ids: tuple[int, ...]
    outlines: bool
    problems: Problems


def read(path: Path, roots: Sequence[Path]) -> Content:
    """Read and check annotations.

    Args:
        path: Path of the JSON file.
        roots: folders where the pictures may be; the first that has most of them is taken.

    Returns:
        `Content`.

    Raises:
        ZooError: the file is not of COCO's kind, or nothing in it can be used.
    """
    problems = Problems(path)
    images, annotations, categories = _lists(path, problems)
    names = _categories(path, categories, problems)
    pictures = _pictures(images, roots, problems)
    left_out = {whole_number(image.get("id")) for image in images} - set(pictures) - {None}
    label_of = {category_id: i for i, category_id in enumerate(names)}
    objects = defaultdict(list)
    bare = []  # places of objects without outline
    for i, annotation in enumerate(annotations):
        number = whole_number(annotation.get("image_id"))
        if number in left_out:
            continue  # with its picture, which is reported
        entry = ObjectEntry(annotation, i, problems)
        if row := entry.usable(pictures, label_of):
            objects[number].append(row)
            if row["segmentation"] is None:
                bare.append(f"{entry.place}: {entry.flaw}")
    if not pictures or (annotations and not objects):
        raise ZooError(f"{path} holds nothing that can be used.\n{problems}")
    if any(annotation.get("segmentation") for annotation in annotations):
        for place in bare:
            problems.add(_NOT_LEARNED, place)
    rows = [(picture, objects[number]) for number, picture in pictures.items()]
    outlines = any(row["segmentation"] is not None for own in objects.values() for row in own)
    return Content(rows, tuple(names.values()), tuple(names), outlines, problems)


def _lists(path: Path, problems: Problems) -> list[list[dict[str, Any]]]:
    """The entries of "images", "annotations" and "categories"."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))  # with or without a byte order mark
    except (ValueError, RecursionError) as error:
        raise ZooError(
            f"{path} cannot be decoded ({error}); it is no JSON in UTF-8, or cut off: replace it "
            "by a fresh copy"
        ) from error
    lists = []
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            received = sorted(content) if isinstance(content, dict) else type(content).__name__
            raise ZooError(
                f"{path} is not in COCO's format: it must be an object with the lists 'images', "
                f"'annotations' and 'categories'. Received: {received}"
            )
        lists.append([entry for entry in entries if isinstance(entry, dict)])
        for i, entry in enumerate(entries):
            if not isinstance(entry, dict):
                problems.add("entry that is no object, left out", f"entry {i} of {key}: {entry!r}")
    return lists


def _categories(path: Path, entries: Sequence[dict], problems: Problems) -> dict[int, str]:
    """Number -> name, by ascending number."""
    names: dict[int, str] = {}
    for i, entry in enumerate(entries):
        number, name = whole_number(entry.get("id")), entry.get("name")
        text = str(name) if isinstance(name, str | int | float) else ""
        label = _UNFIT.sub(" ", text).strip()
        if number is None or not label:
            place = f"entry {i} of categories: {entry.get('id')!r}, {name!r}"
            problems.add("category without whole id or name, left out", place)
        elif number in names:
            ids = [category.get("id") for category in entries]
            raise ZooError(f"{path} has several categories of one id. Received: {ids}")
        else:
            names[number] = label
            if label != text:
                place = f"category {number}: {name!r} -> {label!r}"
                problems.add("name with control characters or blanks around it, cleaned", place)
    for number, label in names.items():
        if (count := list(names.values()).count(label)) > 1:
            place = f"category {number}: {label!r}"
            problems.add(f"name of {count} categories, which only their ids tell apart", place)
    return dict(sorted(names.items()))


def _pictures(
    images: Sequence[dict], roots: Sequence[Path], problems: Problems
) -> dict[int, dict[str, Any]]:
    """The usable entries by id."""
    files = PictureFiles()
    names = [name for image in images if isinstance(name := image.get("file_name"), str)]
    root = max(roots, key=lambda root: sum(files.find(root, name) is not None for name in names))
    pictures: dict[int, dict[str, Any]] = {}
    for i, image in enumerate(images):
        number, name = whole_number(image.get("id")), image.get("file_name")
        place = f"picture {number}: {name}"
        if number is None or not name or not isinstance(name, str):
            place = f"entry {i} of images: {image.get('id')!r}, {name!r}"
            problems.add("picture without whole id or file_name, left out", place)
        elif number in pictures:
            problems.add("picture whose id is taken, left out", place)
        elif (path := files.find(root, name)) is None:
            problems.add(f"picture that is missing in {root}, left out", place)
        elif size := _size(image, path):
            height, width = size
            pictures[number] = {"id": number, "path": path, "height": height, "width": width}
        else:
            problems.add("picture that cannot be opened, left out", place)
    return pictures


def _size(image: dict, path: Path) -> tuple[int, int] | None:
    """(height, width), of the entry or else of the file, upright."""
    height, width = (whole_number(image.get(side)) for side in ("height", "width"))
    if height and width and height > 0 and width > 0:
        return height, width
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return upright_size(picture)
    except Exception:  # Pillow's readers raise of every kind on damaged headers
        return None
