"""A small set of photos in COCO's format: bright rectangles and discs on noise."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CATEGORIES = ({"id": 7, "name": "rectangle"}, {"id": 3, "name": "disc"})  # in no order, with gaps


def write(folder: Path, split: str = "train", count: int = 5, side: int = 64) -> Path:
    """`folder/images/SPLIT/*.png` and `folder/annotations/SPLIT.json`.

    The last photo but one holds a crowd alone, the last one nothing.
    """
    rng = np.random.default_rng(len(split))
    images, annotations = [], []
    (folder / "images" / split).mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for i in range(count):
        photo = Image.fromarray(rng.integers(0, 60, (side, side + 16, 3), "uint8"))
        images.append({"id": 100 + i, "file_name": f"{i}.png", "width": side + 16, "height": side})
        if i < count - 1:
            kind = CATEGORIES[i % 2]
            annotations.append(_drawn(photo, rng, kind, i, side) | {"iscrowd": int(i == count - 2)})
        photo.save(folder / "images" / split / f"{i}.png")
    content = {"images": images, "annotations": annotations, "categories": list(CATEGORIES)}
    (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return folder


def _drawn(photo: Image.Image, rng: np.random.Generator, kind: dict, i: int, side: int) -> dict:
    x, y = (int(v) for v in rng.integers(2, side // 4, 2))
    width, height = side // 2, side // 2
    if kind["name"] == "disc":
        angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * [width / 2, height / 2]
        points += [x + width / 2, y + height / 2]
    else:
        points = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    ImageDraw.Draw(photo).polygon([tuple(p) for p in points.tolist()], fill=(220, 60 * i, 180))
    return {
        "id": i + 1,
        "image_id": 100 + i,
        "category_id": kind["id"],
        "bbox": [x, y, width, height],
        "area": width * height,
        "segmentation": [points.ravel().tolist()],
    }
