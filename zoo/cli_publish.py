"""`zoo publish`. It takes no token: other users of a machine see command lines."""

import argparse
import dataclasses
import json

from zoo.hub.publish import publish, write_pin


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    fields = {name: getattr(args, name) for name in ("version", "dtype")}
    published = publish(
        args.folder,
        args.to,
        private=args.private,
        tag=args.tag,
        message=args.message,
        dry_run=args.dry_run,
        **{name: value for name, value in fields.items() if value is not None},
    )
    if args.pin and not args.dry_run:
        write_pin(published, args.pin)
    if args.json:
        print(json.dumps(dataclasses.asdict(published) | {"pin": published.pin}, indent=2))
    else:
        print(published)
    return 0
