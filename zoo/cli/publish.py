"""`zoo publish`. It takes no token: other users of a machine see command lines."""

import argparse
import dataclasses

from zoo.cli.output import add_json, add_verbose, print_json

HELP = "Puts a checkpoint folder on the Hugging Face Hub."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="of the checkpoint")
    parser.add_argument("to", metavar="hf://ORG/NAME", help="the repository, made where needed")
    parser.add_argument("--dry-run", action="store_true", help="send nothing, tell what would be")
    parser.add_argument("--private", action="store_true", help="if the repository is made")
    parser.add_argument("--tag", help="for the commit, e.g. v1")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument("--version", type=int, help="of the checkpoint, for other weights")
    parser.add_argument("--dtype", choices=["float32", "float16"], help="of the stored kernels")
    parser.add_argument("--pin", metavar="FILE", help="JSON file that gets the entry of pins.json")
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo.hub.publish import publish, write_pin

    fields = {name: getattr(arguments, name) for name in ("version", "dtype")}
    published = publish(
        arguments.folder,
        arguments.to,
        private=arguments.private,
        tag=arguments.tag,
        message=arguments.message,
        dry_run=arguments.dry_run,
        **{name: value for name, value in fields.items() if value is not None},
    )
    if arguments.pin and not arguments.dry_run:
        write_pin(published, arguments.pin)
    if arguments.json:
        print_json(dataclasses.asdict(published) | {"pin": published.pin})
    else:
        print(published)
    return 0
