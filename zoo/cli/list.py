"""`zoo list`: names."""

import argparse
from typing import Any

from zoo.cli.output import add_json, print_json
from zoo.errors import UnknownNameError

HELP = "Names of the architectures and of the checkpoints."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="*",
                        help='e.g. "*.cifar10"')  # fmt: skip
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo.catalog import list_models
    from zoo.hub import index

    pattern = arguments.pattern
    architectures, checkpoints = list_models(pattern), index.list_weights(pattern)
    if not architectures and not checkpoints:
        known = [*list_models(), *index.list_weights()]
        raise UnknownNameError("model or checkpoint", pattern, known)
    # Those that are only on the Hub are not asked for: a list takes no network.
    here = [name for name in checkpoints if index.is_here(name)]
    rows = [_summary(index.card(name)) for name in here]
    rows += [{"name": name, "hub": True} for name in checkpoints if name not in here]
    if arguments.json:
        print_json({"architectures": architectures, "checkpoints": rows})
        return 0
    if architectures:
        print("architectures", *architectures, sep="\n  ")
    if rows:
        print("checkpoints")
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            measured = f"{row['top1']:7.2%} top-1 on {row['data']}" if "top1" in row else ""
            measured = "  on the Hub" if "hub" in row else measured
            print(f"  {row['name']:{width}}{measured}".rstrip())
    return 0


def _summary(card: Any) -> dict[str, Any]:
    """Name and size of a checkpoint, and its first measured top-1 accuracy, if any."""
    row = {"name": card.name, "params": card.params, "license": card.license}
    for metric in card.metrics:
        if metric.name == "top1":
            return row | {"top1": metric.value, "data": f"{metric.dataset} {metric.split}"}
    return row
