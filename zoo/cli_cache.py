"""`zoo cache list | verify | clean`."""

import argparse
import json
import sys
import time
from typing import Any

from zoo.errors import UnknownNameError, ZooError
from zoo.hub import cache
from zoo.hub.cache import Cached


def run(args: argparse.Namespace) -> int:
    """Runs the command; 1 where `verify` found damage."""
    if args.action == "clean" and args.all == (args.pattern is not None):
        raise ZooError("zoo cache clean takes the NAME of a checkpoint, or --all.")
    found = cache.list_cached(args.pattern or "*")
    if args.pattern and not found:
        known = {c.name or c.repo for c in cache.list_cached()}
        raise UnknownNameError("checkpoint in the Hub's cache", args.pattern, known)
    return {"list": _list, "verify": _verify, "clean": _clean}[args.action](found, args)


def _list(found: list[Cached], args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([_row(c) for c in found], indent=2))
    else:
        _print(found)
    return 0


def _verify(found: list[Cached], args: argparse.Namespace) -> int:
    damage = [(c, cache.damaged_files(c)) for c in found]
    if args.json:
        print(json.dumps([_row(c) | {"damaged": files} for c, files in damage], indent=2))
    else:
        for cached, files in damage:
            print(f"{_label(cached)}: {'DAMAGED ' + ', '.join(files) if files else 'whole'}")
        if any(files for _, files in damage):
            print("zoo.load downloads what is damaged again.")
    return int(any(files for _, files in damage))


def _clean(found: list[Cached], args: argparse.Namespace) -> int:
    chosen = [c for c in found if c.card is not None]
    if not chosen:
        print("[]" if args.json else "Nothing to remove.")
        return 0
    if not args.yes and (args.json or not sys.stdin.isatty()):
        raise ZooError("Nothing was removed: nobody can be asked here. Say --yes.")
    if not args.json:
        _print(chosen)
    if not args.yes:
        answer = input(f"Remove them, {_size(cache.freed_by(chosen))}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return 0
    freed = cache.remove(chosen)
    if args.json:
        print(json.dumps({"removed": [_row(c) for c in chosen], "freed": freed}, indent=2))
    else:
        print(f"Removed, {_size(freed)}.")
    return 0


def _print(found: list[Cached]) -> None:
    width = max((len(_label(c)) for c in found), default=0)
    for c in found:
        used = time.strftime("%Y-%m-%d", time.localtime(c.last_used))
        print(f"{_label(c):{width}}  {_size(c.size):>9}  last used {used}")


def _label(cached: Cached) -> str:
    name = cached.name or "(damaged card)"
    return f"{name}  hf://{cached.repo}@{cached.commit[:10]}"


def _row(cached: Cached) -> dict[str, Any]:
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
