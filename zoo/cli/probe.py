"""`zoo probe MODEL`: the signals of a net, a verdict on them, a report."""

import argparse
import re
import sys
from pathlib import Path

from zoo.cli.output import add_json, add_verbose, print_json, writing
from zoo.errors import ZooError

HELP = "Where a net stops training: its signals, and a verdict."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="architecture (fresh), checkpoint or its folder, .keras file, keras.applications.NAME",
    )
    parser.add_argument("--data", help=".npz file (x, y) or folder of pictures; else random normal")
    parser.add_argument("--init", help="new values for all kernels: he, orthonormal, …")
    parser.add_argument(
        "--to", metavar="FILE", help="report, pictures beside it (MODEL.probe.html)"
    )
    parser.add_argument("--batch", type=int, default=32, help="examples (32)")
    parser.add_argument("--seed", type=int, default=0, help="of what is random (0)")
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    import keras

    from zoo.cli.probe_data import batch
    from zoo.cli.probe_model import initialize, load
    from zoo.signals.examination import examine
    from zoo.signals.report import to_json, write_report
    from zoo.signals.verdict import verdict

    if arguments.batch < 1 or arguments.seed < 0:
        raise ZooError(
            "--batch must be at least 1 and --seed at least 0. "
            f"Received: {arguments.batch} and {arguments.seed}"
        )
    to = arguments.to or (None if arguments.json else f"{_file_name(arguments.model)}.html")
    if to:
        _check_file(to)
    keras.utils.set_random_seed(arguments.seed)
    _tell(f"building {arguments.model}")
    model, notes = load(arguments.model)
    if arguments.init:
        notes.append(initialize(model, arguments.init, arguments.seed))
    inputs, targets, loss, about = batch(model, arguments.data, arguments.batch, arguments.seed)
    notes += about
    examination = examine(model, inputs, targets, loss=loss, tell=_tell)
    findings = verdict(examination.signals)
    if to:
        _tell(f"writing {to}")
        with writing(to):
            written = write_report(to, examination, findings, notes)
    if arguments.json:
        print_json(to_json(examination, findings, notes))
        return 0
    for note in notes:
        print(note)
    for finding in findings:
        print(f"- {finding}")
    print(f"report: {written[0]}")
    return 0


def _check_file(to: str) -> None:
    """Refuses, before any work, a file that cannot be written."""
    if Path(to).is_dir():
        raise ZooError(f"--to must be a file. Received: {to}, a folder")
    with writing(to):
        Path(to).parent.mkdir(parents=True, exist_ok=True)


def _file_name(model: str) -> str:
    name = Path(model).resolve().name.removesuffix(".keras")
    return f"{re.sub('[^A-Za-z0-9._-]', '_', name)}.probe"


def _tell(text: str) -> None:
    print(f"zoo probe: {text} …", file=sys.stderr, flush=True)
