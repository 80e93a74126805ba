"""`zoo predict`: classes of photos, or the objects in them, drawn."""

import argparse
import sys
from pathlib import Path
from typing import Any

from zoo.cli.output import add_json, add_verbose, print_json
from zoo.errors import ImageError

HELP = "What is in photos; a detector writes PHOTO.objects.png beside each."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="name of a checkpoint, or its folder")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="image file")
    parser.add_argument("--top", type=int, default=5, help="classes for each photo (5)")
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="least score of a detector's objects (0.5)"
    )
    parser.add_argument("--to", metavar="FOLDER", help="for a detector's pictures")
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo.detection import MaskRCNN
    from zoo.hub import index

    model = index.load(arguments.model)
    look = _objects if isinstance(model, MaskRCNN) else _classes
    results = []
    for photo in arguments.photos:
        try:
            result, lines = look(model, photo, arguments)
        except ImageError as error:  # the others are still wanted
            print(f"zoo: {error}", file=sys.stderr)
            continue
        results.append({"photo": photo, **result})
        if not arguments.json:
            print("\n  ".join([photo, *lines]), flush=True)
    if arguments.json:
        print_json(results)
    return int(len(results) < len(arguments.photos))


def _classes(model: Any, photo: str, arguments: argparse.Namespace) -> tuple[dict, list[str]]:
    from zoo.prediction import predict

    classes = predict(model, photo, top=arguments.top)
    width = max(len(label) for label, _ in classes)
    pairs = [{"label": label, "probability": p} for label, p in classes]
    return {"predictions": pairs}, [f"{label:{width}}  {p:7.2%}" for label, p in classes]


def _objects(model: Any, photo: str, arguments: argparse.Namespace) -> tuple[dict, list[str]]:
    from zoo.detection.drawing import draw
    from zoo.detection.prediction import predict

    predicted = predict(model, photo, threshold=arguments.threshold)
    classes = range(model.options["num_classes"])
    labels = model.zoo_card.labels or [f"class {i}" for i in classes]
    folder = Path(arguments.to or Path(photo).parent)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{Path(photo).stem}.objects.png"
    draw(photo, predicted, labels, arguments.threshold).save(picture)
    columns = (predicted[name].tolist() for name in ("labels", "scores", "boxes"))
    objects: list[dict[str, Any]] = [
        {"label": labels[label], "score": score, "box": [round(v, 1) for v in box]}
        for label, score, box in zip(*columns, strict=True)
    ]
    lines = [f"{o['label']}  {o['score']:.0%}  at {o['box']}" for o in objects]
    lines.append(f"{len(objects)} objects: {picture}")
    return {"objects": objects, "picture": str(picture)}, lines
