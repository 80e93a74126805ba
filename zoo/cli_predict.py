"""`zoo predict`: classes of photos, or the objects in them, drawn."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import keras

from zoo.detection import MaskRCNN
from zoo.errors import ImageError
from zoo.hub import index
from zoo.prediction import predict


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    model = index.load(args.model)
    look = _objects if isinstance(model, MaskRCNN) else _classes
    results = []
    for photo in args.photos:
        try:
            result, lines = look(model, photo, args)
        except ImageError as error:  # the others are still wanted
            print(f"zoo: {error}", file=sys.stderr)
            continue
        results.append({"photo": photo, **result})
        if not args.json:
            print("\n  ".join([photo, *lines]), flush=True)
    if args.json:
        print(json.dumps(results, indent=2))
    return int(len(results) < len(args.photos))


def _classes(model: keras.Model, photo: str, args: argparse.Namespace) -> tuple[dict, list[str]]:
    classes = predict(model, photo, top=args.top)
    width = max(len(label) for label, _ in classes)
    pairs = [{"label": label, "probability": p} for label, p in classes]
    return {"predictions": pairs}, [f"{label:{width}}  {p:7.2%}" for label, p in classes]


def _objects(model: MaskRCNN, photo: str, args: argparse.Namespace) -> tuple[dict, list[str]]:
    from zoo.detection.drawing import draw
    from zoo.detection.prediction import predict as find

    found = find(model, photo, threshold=args.threshold)
    classes = range(model.options["num_classes"])
    labels = model.zoo_card.labels or [f"class {i}" for i in classes]
    folder = Path(args.to or Path(photo).parent)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{Path(photo).stem}.objects.png"
    draw(photo, found, labels, args.threshold).save(picture)
    rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(),
               strict=True)  # fmt: skip
    objects: list[dict[str, Any]] = [
        {"label": labels[label], "score": score, "box": [round(v, 1) for v in box]}
        for label, score, box in rows
    ]
    lines = [f"{o['label']}  {o['score']:.0%}  at {o['box']}" for o in objects]
    told = f"{len(objects)} objects: {picture}"
    return {"objects": objects, "picture": str(picture)}, [*lines, told]
