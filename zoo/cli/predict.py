"""`zoo predict`: classes of photos, or the objects in them, drawn."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.cli.output import add_json, add_verbose, print_json, writing
from zoo.errors import ImageError, MissingFileError, ZooError

HELP = "What is in photos; a detector writes PHOTO.objects.png beside each."

# The options that only a task's own models take.
OPTIONS: dict[str, dict[str, Any]] = {
    "classification": {"top": 5},
    "detection": {"threshold": 0.5, "to": None},
}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="a checkpoint, or a file of zoo export")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="image file")
    parser.add_argument("--top", type=int, help="a classifier's classes for each photo (5)")
    parser.add_argument("--threshold", type=float, help="least score of a detector's objects (0.5)")
    parser.add_argument("--to", metavar="FOLDER", help="for a detector's pictures")
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo import catalog
    from zoo.hub import index

    if exported := is_export(arguments.model):
        task = "classification"
    else:
        task = catalog.find(index.card(arguments.model).architecture).task
    options = _options(arguments, task)
    pictures = {}
    if task == "detection":
        pictures = picture_files(arguments.photos, options["to"])
        _make_folders({path.parent for path in pictures.values()})
    model = _load(arguments.model, exported)
    results = []
    for photo in arguments.photos:
        try:
            if task == "detection":
                result, lines = _objects(model, photo, options["threshold"], pictures[photo])
            else:
                result, lines = _classes(model, photo, options["top"])
        except ImageError as error:  # the others are still wanted
            print(f"zoo: {error}", file=sys.stderr)
            continue
        results.append({"photo": photo, **result})
        if not arguments.json:
            print("\n  ".join([photo, *lines]), flush=True)
    if arguments.json:
        print_json(results)
    return int(len(results) < len(arguments.photos))


def picture_files(photos: Iterable[str], folder: str | None) -> dict[str, Path]:
    """Where the picture of each photo's objects goes.

    Args:
        photos: paths of the photos.
        folder: str, of all pictures; None for each beside its photo.

    Returns:
        A file for each photo, "NAME.objects.png", or "NAME-2.objects.png", … where that would
        overwrite another photo's picture or a photo.
    """
    photos = list(dict.fromkeys(photos))
    taken = {Path(photo).resolve() for photo in photos}
    files = {}
    for photo in photos:
        place = Path(photo).parent if folder is None else Path(folder)
        number, file = 1, place / f"{Path(photo).stem}.objects.png"
        while file.resolve() in taken:
            number += 1
            file = place / f"{Path(photo).stem}-{number}.objects.png"
        taken.add(file.resolve())
        files[photo] = file
    return files


def _load(model: str, exported: bool) -> Any:
    if exported:
        from zoo.deploy.exported import load_exported

        return load_exported(model)
    from zoo.hub.loading import load  # a backend, after the refusals

    return load(model)


def is_export(model: str) -> bool:
    """Whether a path is that of an exported file, with its card beside it.

    Raises:
        MissingFileError: it is a file and has no card.
    """
    path = Path(model)
    card = path.with_name(f"{path.name}.zoo.json")
    if path.is_file() and not card.exists():
        raise MissingFileError(f"{path} has no {card.name} beside it, as zoo export writes it.")
    return path.exists() and card.exists()


def _options(arguments: argparse.Namespace, task: str) -> dict[str, Any]:
    """The options of this task, after a refusal of those of others."""
    for other, options in OPTIONS.items():
        for name in options.keys() - OPTIONS[task].keys():
            if getattr(arguments, name) is not None:
                raise ZooError(f"--{name} is for {other}; {arguments.model} is for {task}.")
    values = {name: getattr(arguments, name) for name in OPTIONS[task]}
    return {name: OPTIONS[task][name] if v is None else v for name, v in values.items()}


def _make_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)


def _classes(model: Any, photo: str, top: int) -> tuple[dict[str, Any], list[str]]:
    if hasattr(model, "card"):  # an exported file
        classes = model.predict(photo, top=top)[0]
    else:
        from zoo.tasks.classification import predict

        classes = predict(model, photo, top=top)
    width = max(len(label) for label, _ in classes)
    pairs = [{"label": label, "probability": p} for label, p in classes]
    return {"predictions": pairs}, [f"{label:{width}}  {p:7.2%}" for label, p in classes]


def _objects(
    model: Any, photo: str, threshold: float, picture: Path
) -> tuple[dict[str, Any], list[str]]:
    from zoo.detection import draw, predict
    from zoo.tasks import task_of

    predicted = predict(model, photo, threshold=threshold)
    labels = task_of(model).labels(model)
    drawn = draw(photo, predicted, labels, threshold)
    with writing(picture):
        drawn.save(picture)
    columns = (predicted[name].tolist() for name in ("labels", "scores", "boxes"))
    objects: list[dict[str, Any]] = [
        {"label": labels[label], "score": score, "box": [round(v, 1) for v in box]}
        for label, score, box in zip(*columns, strict=True)
    ]
    lines = [f"{o['label']}  {o['score']:.0%}  at {o['box']}" for o in objects]
    lines.append(f"{len(objects)} objects: {picture}")
    return {"objects": objects, "picture": str(picture)}, lines
