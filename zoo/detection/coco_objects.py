"""One object in COCO's JSON: its box, area and outline, as far as they can be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.detection.masks import decode_rle, run_lengths
from zoo.detection.problems import Problems
from zoo.errors import ZooError

# Annotators round; a box further out is an error.
OUTSIDE_BY = 1.0


@dataclass
class ObjectEntry:
    """One entry of "annotations" under check.

    Attributes:
        entry: the entry.
        index: its place in the list.
        problems: where flaws are noted.
        flaw: why it has no outline; "" where it has one.
    """

    entry: dict[str, Any]
    index: int
    problems: Problems
    flaw: str = ""

    @property
    def place(self) -> str:
        """What reports call it."""
        number = self.entry.get("id")
        name = f"entry {self.index} of annotations" if number is None else f"annotation {number}"
        return f"{name} (picture {self.entry.get('image_id')})"

    def usable(
        self, pictures: Mapping[int, Mapping], label_of: Mapping[int, int]
    ) -> dict[str, Any] | None:
        """What is known of the object, as in `zoo.detection.coco_json.Content.rows`.

        Args:
            pictures: number of a picture -> its entry.
            label_of: number of a category -> its label.

        Returns:
            A dict, or None where the object has to be left out, which is noted.
        """
        entry = self.entry
        missing = [key for key in ("image_id", "category_id") if entry.get(key) is None]
        if not entry.get("bbox") and not entry.get("segmentation"):
            missing.append("bbox")
        if missing:
            return self._leave_out("object without a needed key", ", ".join(missing))
        number, category = (whole_number(entry[key]) for key in ("image_id", "category_id"))
        if number is None or (picture := pictures.get(number)) is None:
            return self._leave_out("object of a picture that is not listed", entry["image_id"])
        if category is None or (label := label_of.get(category)) is None:
            return self._leave_out("object of an unknown category", entry["category_id"])
        outline = self._outline(picture)
        if (box := self._box(picture, outline)) is None:
            return None
        return {
            "bbox": box,
            "label": label,
            "iscrowd": self._crowd(),
            "area": self._area(box),
            "segmentation": outline,
        }

    def _box(self, picture: Mapping, outline: Any) -> list[float] | None:
        box = self.entry.get("bbox")
        if not box:
            if outline is None:
                return self._leave_out("object without box or usable outline", self.flaw)
            box = _box_of(outline)
            self._note("object without box, that of its outline taken", box)
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
            return self._leave_out("box that is not four finite numbers", box)
        x, y, width, height = box
        if width <= 0 or height <= 0:
            return self._leave_out("box of zero area", box)
        left, right = (min(max(v, 0), picture["width"]) for v in (x, x + width))
        top, bottom = (min(max(v, 0), picture["height"]) for v in (y, y + height))
        size = f"{box} in {picture['width']} x {picture['height']} pixels"
        if right <= left or bottom <= top:
            return self._leave_out("box outside its picture", size)
        if max(left - x, top - y, x + width - right, y + height - bottom) > OUTSIDE_BY:
            self._note("box that leaves its picture, clipped", size)
            return [left, top, right - left, bottom - top]
        return box

    def _area(self, box: list[float]) -> float:
        area = self.entry.get("area")
        if area is not None and not (_is_finite(area) and area >= 0):
            self._note("area that is no number, that of the box taken", area)
            area = None
        return float(area or box[2] * box[3])

    def _crowd(self) -> bool:
        value = self.entry.get("iscrowd")
        number = whole_number(value)
        if value not in (None, False, True) and number not in (0, 1):
            self._note("iscrowd that is neither 0 nor 1, taken as 0", value)
            return False
        return value is True or number == 1

    def _outline(self, picture: Mapping) -> Any:
        """The polygons or run lengths that can be used, or None."""
        outline = self.entry.get("segmentation") or None
        if isinstance(outline, list):
            flaws = [_flaw_of_polygon(polygon) for polygon in outline]
            good = [polygon for polygon, flaw in zip(outline, flaws, strict=True) if not flaw]
            broken = [flaw for flaw in flaws if flaw]
            if good:
                for flaw in broken:
                    self._note("part of an outline that cannot be used, left out", flaw)
                return good
            self.flaw = broken[0]
        elif isinstance(outline, dict):
            self.flaw = _flaw_of_runs(outline, [picture["height"], picture["width"]])
            return None if self.flaw else outline
        elif outline is None:
            self.flaw = "there is none"
        else:
            self.flaw = f"neither polygons nor run lengths: {outline!r}"
        return None

    def _note(self, kind: str, what: object) -> None:
        self.problems.add(kind, f"{self.place}: {what}")

    def _leave_out(self, kind: str, what: object) -> Any:
        """Notes why, and gives None."""
        self._note(f"{kind}, left out", what)
        return None


def whole_number(value: Any) -> int | None:
    """The integer that an id or a size is, also where it was written as text or as 7.0."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_finite(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= 1e30  # false for NaN; JSON has integers beyond all floats


def _flaw_of_polygon(polygon: Any) -> str:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return "a polygon without 3 corners"
    return "" if all(map(_is_finite, polygon)) else "a corner that is not finite"


def _flaw_of_runs(outline: dict, size: list[int]) -> str:
    try:
        run_lengths(outline)
    except ZooError as error:
        return str(error)
    return "" if list(outline["size"]) == size else f"size {outline['size']}, not {size}"


def _box_of(outline: Any) -> list[float]:
    """Left, top, width, height."""
    if isinstance(outline, list):
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in outline])
        low, high = points.min(0), points.max(0)
    else:
        rows, columns = np.nonzero(decode_rle(outline))
        if not len(rows):
            return [0.0, 0.0, 0.0, 0.0]
        low = np.array([columns.min(), rows.min()], float)
        high = np.array([columns.max() + 1, rows.max() + 1], float)
    return [*low.tolist(), *(high - low).tolist()]
