"""The console command `zoo`: what there is, what is known about it, and what is in a photo."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.errors import UnknownNameError, ZooError

EPILOG = """examples:
  zoo list "*.cifar10"
  zoo info maxnorm_plainnet50
  zoo predict maxnorm_plainnet50.cifar10 cat.jpg dog.jpg --top 3
  zoo probe plainnet44 --init he
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after `zoo`; None for those of this process.

    Returns:
        Exit code: 0; 1 where some photos could not be read, or cached files are damaged; 2 for a
        mistake in the call, told in one line on stderr; 130 after Ctrl-C; 141 where the reader of
        the output has gone.

    Example:

    >>> main(["list", "plainnet2*"])
    architectures
      plainnet20
    0
    """
    # Names that the terminal's encoding lacks are no reason to fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    try:
        code = args.run(args)
        sys.stdout.flush()
    except ZooError as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # As the Python manual advises: or the interpreter complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo",
        description="Very deep networks that train without shortcuts, and their weights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, text: str, among=commands) -> argparse.ArgumentParser:
        sub = among.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("--json", action="store_true", help="for programs")
        return sub

    sub = command("list", _list, "Names of the architectures and of the checkpoints.")
    sub.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help='e.g. "*.cifar10"')

    sub = command("info", _info, "What is known about an architecture or a checkpoint.")
    sub.add_argument("name", metavar="NAME", help="of an architecture, a checkpoint or its folder")

    sub = command(
        "predict", _predict, "What is in photos; a detector writes PHOTO.objects.png beside each."
    )
    sub.add_argument("model", metavar="MODEL", help="name of a checkpoint, or its folder")
    sub.add_argument("photos", metavar="PHOTO", nargs="+", help="image file")
    sub.add_argument("--top", type=int, default=5, help="classes for each photo (5)")
    sub.add_argument(
        "--threshold", type=float, default=0.5, help="least score of a detector's objects (0.5)"
    )
    sub.add_argument("--to", metavar="FOLDER", help="for a detector's pictures")

    sub = command("probe", _probe, "Where a net stops training: its signals, and a verdict.")
    sub.add_argument(
        "model",
        metavar="MODEL",
        help="architecture (fresh), checkpoint or its folder, .keras file, keras.applications.NAME",
    )
    sub.add_argument("--data", help=".npz file (x, y) or folder of pictures; else random normal")
    sub.add_argument("--init", help="new values for all kernels: he, orthonormal, …")
    sub.add_argument("--to", metavar="FILE", help="report, pictures beside it (MODEL.probe.html)")
    sub.add_argument("--batch", type=int, default=32, help="examples (32)")
    sub.add_argument("--seed", type=int, default=0, help="of what is random (0)")

    sub = command("publish", _publish, "Puts a checkpoint folder on the Hugging Face Hub.")
    sub.add_argument("folder", metavar="FOLDER", help="of the checkpoint")
    sub.add_argument("to", metavar="hf://ORG/NAME", help="the repository, made where needed")
    sub.add_argument("--dry-run", action="store_true", help="send nothing, tell what would be")
    sub.add_argument("--private", action="store_true", help="if the repository is made")
    sub.add_argument("--tag", help="for the commit, e.g. v1")
    sub.add_argument("--message", help="of the commit")
    sub.add_argument("--version", type=int, help="of the checkpoint, for other weights")
    sub.add_argument("--dtype", choices=["float32", "float16"], help="of the stored kernels")
    sub.add_argument("--pin", metavar="FILE", help="JSON file that gets the entry of pins.json")

    text = "The zoo's checkpoints that were downloaded from the Hugging Face Hub."
    cache = commands.add_parser("cache", help=text, description=text)
    actions = cache.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, text in (
        ("list", "Their names, repositories, commits, sizes."),
        ("verify", "Whether every file has the hash that its card names; exit code 1 if not."),
        ("clean", "Removes them."),
    ):
        sub = command(action, _cache, text, actions)
        sub.add_argument("pattern", metavar="NAME", nargs="?", help='checkpoint, e.g. "*.cifar10"')
    sub.add_argument("--all", action="store_true", help="all checkpoints of the zoo")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    return parser


# --------------------------------------------------------------------------------------- zoo list


def _list(args: argparse.Namespace) -> int:
    from zoo.hub import index
    from zoo.registry import list_models

    architectures, checkpoints = list_models(args.pattern), index.list_weights(args.pattern)
    if not architectures and not checkpoints:
        known = [*list_models(), *index.list_weights()]
        raise UnknownNameError("model or checkpoint", args.pattern, known)
    # Those that are only on the Hub are not asked for: a list takes no network.
    here = [name for name in checkpoints if index.is_here(name)]
    rows = [_summary(index.card(name)) for name in here]
    rows += [{"name": name, "hub": True} for name in checkpoints if name not in here]
    if args.json:
        _print_json({"architectures": architectures, "checkpoints": rows})
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


# --------------------------------------------------------------------------------------- zoo info


def _info(args: argparse.Namespace) -> int:
    from zoo.hub import index
    from zoo.registry import list_models

    if args.name in list_models():
        info = _architecture(args.name)
        if args.json:
            _print_json(info)
        else:
            _print_architecture(info)
        return 0
    card = index.card(args.name)
    if args.json:
        from zoo.checkpoint.card import to_json

        print(to_json(card), end="")
    else:
        _print_card(card)
    return 0


def _architecture(name: str) -> dict[str, Any]:
    from zoo.hub import index
    from zoo.models.arguments import ARGUMENTS
    from zoo.models.cost import multiply_adds
    from zoo.models.deferred import build_without_values
    from zoo.registry import find

    variant = find(name)
    model = build_without_values(variant.build)
    return {
        "name": name,
        "params": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "paper": variant.paper,
        "published": variant.published,
        "options": {
            option: {"default": default, "allowed": ARGUMENTS[option].allowed}
            for option, default in variant.options.items()
        },
        "checkpoints": index.list_weights(f"{name}.*"),
    }


def _print_architecture(info: dict[str, Any]) -> None:
    options = info["options"]
    names = max(map(len, options), default=0)
    defaults = max((len(repr(option["default"])) for option in options.values()), default=0)
    _print_table(
        [
            ("name", info["name"]),
            ("parameters", f"{info['params']:,} with the defaults below"),
            ("operations", f"{info['multiply_adds']:,} multiply-adds for one input"),
            ("paper", info["paper"]),
            ("published", info["published"] or "nothing"),
            ("checkpoints", ", ".join(info["checkpoints"]) or "none"),
        ]
    )
    print("options for zoo.create")
    for name, option in options.items():
        print(f"  {name:{names}}  {option['default']!r:{defaults}}  {option['allowed']}")


def _print_card(card: Any) -> None:
    how, training = card.preprocess, card.training
    args = ", ".join(f"{name}={value!r}" for name, value in card.args.items())
    labels = ", ".join(card.labels[:10]) + (", …" if len(card.labels) > 10 else "")
    size = f"{how.size[0]} x {how.size[1]} x {how.channels}"
    recipe = " ".join(["recipe" if training.recipe else "", training.recipe, *training.settings])
    length = f"{training.epochs} epochs on {training.data}"
    if training.origin:
        length += f", from {training.origin}"
    _print_table(
        [
            ("name", f"{card.name}, version {card.version}"),
            ("architecture", f"{card.architecture}({args})"),
            ("parameters", f"{card.params:,}, {card.dtype}"),
            *(
                (m.name, f"{m.value:.4g} on {m.dataset} {m.split} ({m.n:,} images): {m.command}")
                for m in card.metrics
            ),
            ("published", training.published),
            ("input", f"{size}, shorter side resized to {how.resize} ({how.interpolation})"),
            ("classes", f"{len(card.labels)}: {labels}" if labels else "no labels"),
            ("training", f"{recipe.strip()}: {length}"),
            ("license", card.license),
            ("citation", card.citation),
            ("requires", card.requires),
        ]
    )


def _print_table(rows: Iterable[tuple[str, str]]) -> None:
    for name, value in rows:
        if value:
            print(f"{name:13} {value}")


# ------------------------------------------------------------------------------------ zoo predict


def _predict(args: argparse.Namespace) -> int:
    from zoo import cli_predict

    return cli_predict.run(args)


# -------------------------------------------------------------------------------------- zoo probe


def _probe(args: argparse.Namespace) -> int:
    from zoo import cli_probe

    return cli_probe.run(args)


# ------------------------------------------------------------------------------------ zoo publish


def _publish(args: argparse.Namespace) -> int:
    from zoo import cli_publish

    return cli_publish.run(args)


# -------------------------------------------------------------------------------------- zoo cache


def _cache(args: argparse.Namespace) -> int:
    from zoo import cli_cache

    return cli_cache.run(args)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


if __name__ == "__main__":
    sys.exit(main())
