"""A detector's checkpoint, measured for `python -m training.evaluate`."""

import argparse
import json
from typing import Any

import zoo
from training.tasks.detection.data import learned_from, read
from training.tasks.detection.measure import measure, without_nan
from zoo.errors import ZooError
from zoo.files import write_atomically


def report(arguments: argparse.Namespace) -> None:
    """Measures, prints COCO's average precisions of boxes and masks and those of each class, and
    writes them.

    Raises:
        ZooError: the classes of the checkpoint are not those of the data.
    """
    model = zoo.load(arguments.checkpoint)
    card = model.zoo_card
    data = arguments.data or "coco2017"
    photos = read(data, arguments.split, arguments.data_dir)
    if card.labels != photos.labels:
        raise ZooError(
            f"{card.name} finds {_names(card.labels)}; the photos show {_names(photos.labels)}."
        )
    if arguments.limit:
        photos = learned_from(photos, arguments.limit)
    figures, results = measure(model, photos, card.preprocess, arguments.batch_size or 1)
    print(f"{card.name} on {len(photos)} photos ({data}, {arguments.split})")
    for line in lines(figures):
        print(line)
    if arguments.to:
        arguments.to.mkdir(parents=True, exist_ok=True)
        contents = {"metrics": without_nan(figures), "results": results}
        for name, content in contents.items():
            write_atomically(arguments.to / f"{name}.json", json.dumps(content, indent=1).encode())


def lines(figures: dict[str, dict[str, Any]]) -> list[str]:
    """A table of the figures, and one of the classes; "–" where nothing of a kind is shown."""
    kinds = list(figures)
    names = [name for name in figures[kinds[0]] if name != "per_class"]
    classes = figures[kinds[0]]["per_class"]
    rows = [("", [*kinds])]
    rows += [(name, [_percent(figures[kind][name]) for kind in kinds]) for name in names]
    rows += [
        (f"AP of {name}", [_percent(figures[kind]["per_class"][name]) for kind in kinds])
        for name in classes
    ]
    width = max(len(name) for name, _ in rows)
    return [f"  {name:{width}}" + "".join(f"{v:>8}" for v in values) for name, values in rows]


def _percent(value: float) -> str:
    return "–" if value != value else f"{100 * value:.1f}%"


def _names(labels: tuple[str, ...]) -> str:
    more = ", …" if len(labels) > 5 else ""
    return f"{len(labels)} classes ({', '.join(labels[:5])}{more})"
