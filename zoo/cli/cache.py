"""`zoo cache list | verify | clean`."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from zoo.cli.output import add_json, print_json
from zoo.errors import UnknownNameError, ZooError

if TYPE_CHECKING:
    from zoo.hub.cache import Cached

HELP = "The zoo's checkpoints that were downloaded from the Hugging Face Hub."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("list", "Their names, repositories, commits, sizes."),
        ("verify", "Whether every file has the hash that its card names; exit code 1 if not."),
        ("clean", "Removes them."),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument(
            "pattern", metavar="NAME", nargs="?", help='checkpoint, e.g. "*.cifar10"'
        )
        add_json(action)
        if name == "clean":
            action.add_argument("--all", action="store_true", help="all checkpoints of the zoo")
            action.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; 1 where `verify` finds damage."""
    from zoo.hub import cache

    if arguments.action == "clean" and arguments.all == (arguments.pattern is not None):
        raise ZooError("zoo cache clean takes the NAME of a checkpoint, or --all.")
    cached = cache.list_cached(arguments.pattern or "*")
    if arguments.pattern and not cached:
        known = {c.name or c.repo for c in cache.list_cached()}
        raise UnknownNameError("checkpoint in the Hub's cache", arguments.pattern, known)
    return {"list": _list, "verify": _verify, "clean": _clean}[arguments.action](cached, arguments)


def _list(cached: list["Cached"], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json([_row(c) for c in cached])
    else:
        _print(cached)
    return 0


def _verify(cached: list["Cached"], arguments: argparse.Namespace) -> int:
    from zoo.hub import cache

    damage = [(c, cache.damaged_files(c)) for c in cached]
    if arguments.json:
        print_json([_row(c) | {"damaged": files} for c, files in damage])
    else:
        for entry, files in damage:
            print(f"{_label(entry)}: {'DAMAGED ' + ', '.join(files) if files else 'whole'}")
        if any(files for _, files in damage):
            print("zoo.load downloads what is damaged again.")
    return int(any(files for _, files in damage))


def _clean(cached: list["Cached"], arguments: argparse.Namespace) -> int:
    from zoo.hub import cache

    chosen = [c for c in cached if c.card is not None]
    if not chosen:
        print("[]" if arguments.json else "Nothing to remove.")
        return 0
    if not arguments.yes and (arguments.json or not sys.stdin.isatty()):
        raise ZooError("Nothing was removed: nobody can be asked here. Say --yes.")
    if not arguments.json:
        _print(chosen)
    if not arguments.yes:
        answer = input(f"Remove them, {_size(cache.freed_by(chosen))}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return 0
    freed = cache.remove(chosen)
    if arguments.json:
        print_json({"removed": [_row(c) for c in chosen], "freed": freed})
    else:
        print(f"Removed, {_size(freed)}.")
    return 0


def _print(cached: list["Cached"]) -> None:
    width = max((len(_label(c)) for c in cached), default=0)
    for c in cached:
        used = time.strftime("%Y-%m-%d", time.localtime(c.last_used))
        print(f"{_label(c):{width}}  {_size(c.size):>9}  last used {used}")


def _label(cached: "Cached") -> str:
    name = cached.name or "(damaged card)"
    return f"{name}  hf://{cached.repo}@{cached.commit[:10]}"


def _row(cached: "Cached") -> dict[str, Any]:
    row = {"name": cached.name, "repo": cached.repo, "commit": cached.commit}
    return row | {"size": cached.size, "last_used": cached.last_used, "folder": str(cached.folder)}


def _size(count: int) -> str:
    """Bytes as people say them, e.g. "1.2 MB"."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
