"""`zoo info NAME`: an architecture with its options, or a checkpoint's card."""

import argparse
from typing import Any

from zoo.cli.output import add_json, print_json, print_table

HELP = "What is known about an architecture or a checkpoint."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "name", metavar="NAME", help="of an architecture, a checkpoint or its folder"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo import catalog
    from zoo.hub import index

    if arguments.name in catalog.entries():
        info = _architecture(arguments.name)
        if arguments.json:
            print_json(info)
        else:
            _print_architecture(info)
        return 0
    card = index.card(arguments.name)
    if arguments.json:
        from zoo.checkpoint.card import to_json

        print(to_json(card), end="")
    else:
        _print_card(card)
    return 0


def _architecture(name: str) -> dict[str, Any]:
    from zoo import catalog
    from zoo.hub import index

    entry = catalog.find(name)
    return {
        "name": name,
        "params": entry.params,
        "multiply_adds": entry.multiply_adds,
        "paper": entry.paper,
        "published": entry.published,
        "options": {
            option: {"default": default, "allowed": allowed}
            for option, (default, allowed) in entry.options.items()
        },
        "checkpoints": index.list_weights(f"{name}.*"),
    }


def _print_architecture(info: dict[str, Any]) -> None:
    options = info["options"]
    names = max(map(len, options), default=0)
    defaults = max((len(repr(option["default"])) for option in options.values()), default=0)
    print_table(
        [
            ("name", info["name"]),
            ("parameters", f"{info['params']:,} with the defaults below"),
            ("operations", f"{info['multiply_adds']:,} multiply-adds for one input"),
            ("paper", info["paper"]),
            ("published", info["published"] or "nothing"),
            *(("checkpoint", _in_short(checkpoint)) for checkpoint in info["checkpoints"]),
        ]
    )
    print("options for zoo.create")
    for name, option in options.items():
        print(f"  {name:{names}}  {option['default']!r:{defaults}}  {option['allowed']}")


def _in_short(checkpoint: str) -> str:
    """A checkpoint and what it takes, which often is less than the published net."""
    from zoo.hub import index

    if not index.is_here(checkpoint):
        return f"{checkpoint}, to be downloaded"
    return f"{checkpoint}: {index.card(checkpoint).summary}"


def _print_card(card: Any) -> None:
    preprocess, training = card.preprocess, card.training
    args = ", ".join(f"{name}={value!r}" for name, value in card.args.items())
    labels = ", ".join(card.labels[:10]) + (", …" if len(card.labels) > 10 else "")
    size = f"{preprocess.size[0]} x {preprocess.size[1]} x {preprocess.channels}"
    resize = f"shorter side resized to {preprocess.resize} ({preprocess.interpolation})"
    recipe = " ".join(["recipe" if training.recipe else "", training.recipe, *training.settings])
    length = f"{training.epochs} epochs on {training.data}"
    if training.origin:
        length += f", from {training.origin}"
    print_table(
        [
            ("name", f"{card.name}, version {card.version}"),
            ("architecture", f"{card.architecture}({args})"),
            ("parameters", f"{card.params:,}, {card.dtype}"),
            *(
                (m.name, f"{m.value:.4g} on {m.dataset} {m.split} ({m.n:,} images): {m.command}")
                for m in card.metrics
            ),
            *([] if card.metrics else [("measured", "nothing")]),
            ("published", training.published),
            ("input", f"{size}, {resize}"),
            ("classes", f"{len(card.labels)}: {labels}" if labels else "no labels"),
            ("training", f"{recipe.strip()}: {length}"),
            *(("note", note) for note in card.notes),
            ("license", card.license),
            *([("terms", f"of the data: {card.terms}")] if card.terms else []),
            ("citation", card.citation),
            ("requires", card.requires),
        ]
    )
