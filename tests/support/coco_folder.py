"""Small sets of pictures and objects in COCO's format."""

import json

from PIL import Image

POLYGON = [[1.0, 2.0, 5.0, 2.0, 5.0, 8.0]]
RUNS = {"counts": [10, 4, 186], "size": [20, 10]}
CATEGORIES = [
    {"id": 90, "name": "brush"},
    {"id": 1, "name": "person"},
    {"id": 13, "name": "?"},
]


def annotation(image, category, box, crowd=0, segmentation=POLYGON):
    return {
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "iscrowd": crowd,
        "area": 7.5,
        "segmentation": segmentation,
    }


def write_coco(folder, pictures="val2017", **changes):
    """Two pictures, one without objects, in the layout of COCO's archives."""
    content = {
        "images": [{"id": 42, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
        "annotations": [
            annotation(42, 90, [1, 2, 4, 6.5]),
            annotation(42, 1, [0, 0, 10, 20], crowd=1, segmentation=RUNS),
        ],
        "categories": CATEGORIES,
        **changes,
    }
    (folder / "annotations").mkdir(parents=True)
    (folder / pictures).mkdir(parents=True)
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(content))
    for name in ("a", "b"):
        Image.new("L", (10, 20), 90).save(folder / pictures / f"{name}.jpg")
    return path


def write_folder(folder, file, pictures, name="a.jpg", **changes):
    """A set of one picture and one object."""
    content = {
        "images": [{"id": 3, "file_name": name, "height": 20, "width": 10}],
        "annotations": [{"id": 8, "image_id": 3, "category_id": 4, "bbox": [1, 2, 4, 6]}],
        "categories": [{"id": 4, "name": "pear"}],
        **changes,
    }
    for path in (folder / file, folder / pictures / name):
        path.parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    Image.new("RGB", (10, 20)).save(folder / pictures / name)
