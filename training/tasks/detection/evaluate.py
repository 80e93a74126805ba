"""Measures a detector: `python -m training.detection.evaluate CHECKPOINT --data FOLDER`.

Prints COCO's average precisions of boxes and masks, and those of each class. With `--to FOLDER`
it writes them as metrics.json, and what was found as results.json, in COCO's format.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.detection.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="name of a detector's checkpoint, or its folder")
    parser.add_argument("--data", default="coco2017", help="coco2017, or a folder of its format")
    parser.add_argument("--split", default="validation", choices=["train", "validation"])
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--limit", type=int, default=0, help="the first so many with objects alone")
    parser.add_argument("--batch-size", type=int, default=1, help="photos at a time (1)")
    parser.add_argument("--to", type=Path, help="folder for metrics.json and results.json")
    arguments = parser.parse_args(argv)
    try:
        report(arguments)
    except (ZooError, OSError) as error:
        print(f"training.detection.evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def report(arguments: argparse.Namespace) -> None:
    """Measures, prints and writes.

    Raises:
        ZooError: the checkpoint is of no detector, or its classes are not those of the data.
    """
    import zoo
    from training.detection.data import learned_from, read
    from training.detection.measure import measure, plain
    from zoo.files import write_atomically

    model = zoo.load(arguments.checkpoint)
    card = model.zoo_card
    if not isinstance(model, zoo.detection.MaskRCNN):
        raise ZooError(f"{card.name} is no detector: python -m training.evaluate measures it.")
    photos = read(arguments.data, arguments.split, arguments.data_dir)
    if card.labels != photos.labels:
        raise ZooError(
            f"{card.name} finds {_few(card.labels)}; the photos show {_few(photos.labels)}."
        )
    if arguments.limit:
        photos = learned_from(photos, arguments.limit)
    figures, results = measure(model, photos, card.preprocess, arguments.batch_size)
    print(f"{card.name} on {len(photos)} photos ({arguments.data}, {arguments.split})")
    for line in lines(figures):
        print(line)
    if arguments.to:
        arguments.to.mkdir(parents=True, exist_ok=True)
        for name, content in (("metrics", plain(figures)), ("results", results)):
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


def _few(labels: tuple[str, ...]) -> str:
    more = ", …" if len(labels) > 5 else ""
    return f"{len(labels)} classes ({', '.join(labels[:5])}{more})"


if __name__ == "__main__":
    sys.exit(main())
