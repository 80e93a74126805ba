"""The picture of a confusion matrix, with Pillow alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIDE = 900  # pixels of the matrix, about
NUMBERS = 24  # classes at most for numbers in the cells
LABELS = 60  # classes at most for labels at the rows


def draw_confusion(matrix: np.ndarray, labels: Sequence[str]) -> "Image.Image":
    """Draws how often which class was taken for which: rows are true, columns predicted.

    A cell's colour is its share of its row: right answers blue, mistakes red.

    Args:
        matrix: int array (K, K), of `zoo.tuning.figures.confusion`.
        labels: sequence of str, the K classes.

    Returns:
        PIL image.

    Example:

    >>> draw_confusion(np.array([[3, 1], [0, 4]]), ["cat", "dog"]).mode
    'RGB'
    """
    from PIL import Image, ImageDraw

    count = len(labels)
    cell = max(SIDE // count, 3) if count > 10 else 80
    font = _font(min(16, max(cell - 2, 8)))
    shown = [_short(label) for label in labels] if count <= LABELS else []
    margin = 12 + round(max((font.getlength(label) for label in shown), default=0))
    top = margin + 24
    picture = Image.new("RGB", (margin + count * cell + 12, top + count * cell + 12), "white")
    pen = ImageDraw.Draw(picture)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for i, row in enumerate(matrix.tolist()):
        for j, number in enumerate(row):
            x, y = margin + j * cell, top + i * cell
            share = float(shares[i, j])
            pen.rectangle((x, y, x + cell - 1, y + cell - 1), fill=_colour(share, right=i == j))
            if count <= NUMBERS and number:
                ink = "white" if share > 0.5 else "black"
                pen.text((x + cell / 2, y + cell / 2), str(number), ink, font, anchor="mm")
    for i, label in enumerate(shown):
        pen.text((margin - 6, top + (i + 0.5) * cell), label, "black", font, anchor="rm")
        _write_upward(picture, label, font, round(margin + (i + 0.5) * cell), top - 4)
    pen.text((6, 4), "rows: true class, columns: predicted", "black", _font(12))
    return picture


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _short(label: str, most: int = 24) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _colour(share: float, right: bool) -> tuple[int, int, int]:
    full = (33, 90, 170) if right else (190, 40, 40)
    strength = share**0.6  # few mistakes are to be seen, too
    red, green, blue = (round(255 + (c - 255) * strength) for c in full)
    return red, green, blue


def _write_upward(picture: "Image.Image", label: str, font: Any, x: int, y: int) -> None:
    """Writes from below upward, centred on x, its end above y."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (round(v) for v in font.getbbox(label))
    strip = Image.new("RGB", (max(right - left, 1), max(bottom - top, 1)), "white")
    ImageDraw.Draw(strip).text((-left, -top), label, "black", font)
    strip = strip.rotate(90, expand=True)
    picture.paste(strip, (x - strip.width // 2, y - strip.height))
