"""Folders of small photos, one folder per class: bright shapes on noise."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("bar", "disc", "square")


def write(folder: Path, count: int = 8, side: int = 12, classes=SHAPES) -> Path:
    """`folder/CLASS/0.png`, …: shapes of any colour, size and place."""
    for kind in classes:
        (folder / kind).mkdir(parents=True)
        rng = np.random.default_rng(SHAPES.index(kind))
        for i in range(count):
            draw(rng, kind, side).save(folder / kind / f"{i}.png")
    return folder


def draw(rng: np.random.Generator, kind: str, side: int) -> Image.Image:
    photo = Image.fromarray(rng.integers(0, 160, (side, side, 3), "uint8"))
    size = int(rng.integers(side // 3, side // 2 + 1))
    x, y = (int(v) for v in rng.integers(1, side - size, 2))
    colour = tuple(int(v) for v in rng.integers(90, 256, 3))
    pen = ImageDraw.Draw(photo)
    if kind == "bar":
        pen.rectangle((0, y, side, y + max(size // 4, 1)), fill=colour)
    elif kind == "disc":
        pen.ellipse((x, y, x + size, y + size), fill=colour)
    else:
        pen.rectangle((x, y, x + size, y + size), outline=colour, width=max(side // 10, 1))
    return photo
