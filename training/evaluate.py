"""Evaluation program: `python -m training.evaluate CHECKPOINT --data-dir DATA`.

Measures a checkpoint (a name of `zoo.list_weights()` or a folder) on the data set of its card, a
detector on photos in COCO's format, and says where a figure of the card differs. With `--all`,
every shipped checkpoint, into `results/results.csv` and `docs/results.md`.
"""

import argparse
import sys
from pathlib import Path

import zoo
from training import tasks
from training.results import checkpoints
from zoo.errors import ZooError
from zoo.registry import find


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        if arguments.all:
            differs = checkpoints.write(arguments.data_dir, download=arguments.download)
        else:
            differs = report(arguments)
    except (ZooError, OSError) as error:
        print(f"training.evaluate: {error}", file=sys.stderr)
        return 2
    if differs:
        print(f"The card differs in: {', '.join(differs)}", file=sys.stderr)
    return 1 if differs else 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", nargs="?", help="name of a checkpoint, or a folder")
    parser.add_argument("--all", action="store_true", help="every shipped checkpoint")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument(
        "--split",
        choices=("train", "test", "validation"),
        help="default: test; of a detector's photos, validation",
    )
    parser.add_argument("--batch-size", type=int, help="images per step of the model")
    group = parser.add_argument_group("of a classifier")
    group.add_argument("--ten-crop", action="store_true", help="average over ten views of each")
    group.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="draw confusion and reliability there"
    )
    group.add_argument("--download", action="store_true", help="fetch data that is missing")
    group.add_argument("--json", action="store_true", help="print one JSON object")
    group = parser.add_argument_group("of a detector")
    group.add_argument("--data", help="coco2017 (default), or a folder of its format")
    group.add_argument("--limit", type=int, help="the first so many photos with objects alone")
    group.add_argument("--to", type=Path, help="folder for metrics.json and results.json")
    arguments = parser.parse_args(argv)
    if arguments.all == bool(arguments.checkpoint):
        parser.error("name a checkpoint, or --all")
    if arguments.batch_size is not None and arguments.batch_size < 1:
        parser.error("--batch-size must be 1 or more")
    if arguments.all and (arguments.pictures or arguments.ten_crop or arguments.json):
        parser.error("--all goes without --pictures, --ten-crop and --json")
    return arguments


def report(arguments: argparse.Namespace) -> list[str]:
    """Measures one checkpoint, prints the figures, and names those in which its card differs.

    Raises:
        ZooError: an option is not of the checkpoint's task.
    """
    task = tasks.find(find(zoo.card(arguments.checkpoint).architecture).task)
    arguments.split = arguments.split or task.splits[-1]
    if arguments.split not in task.splits:
        raise ZooError(f"--split must be one of {task.splits}. Received: {arguments.split!r}")
    for other in tasks.TASKS.values():
        for option in set(other.options) - set(task.options):
            if getattr(arguments, option):
                raise ZooError(
                    f"--{option.replace('_', '-')} is for {other.name}; {arguments.checkpoint} is "
                    f"for {task.name}."
                )
    return task.report(arguments)


if __name__ == "__main__":
    sys.exit(main())
