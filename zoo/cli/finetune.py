"""`zoo finetune CHECKPOINT FOLDER`: a folder of photos becomes a checkpoint that knows them."""

import argparse
import dataclasses
import sys

from zoo.cli.output import add_json, add_verbose, print_json

HELP = "Fine-tunes a classifier on your own photos, one folder per class."


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="name of a checkpoint, or its folder"
    )
    parser.add_argument("folder", metavar="FOLDER", help="of photos, one folder in it per class")
    parser.add_argument("--out", metavar="FOLDER", help="new checkpoint (ARCHITECTURE.FOLDER)")
    parser.add_argument(
        "--epochs", type=int, help="at most; 0 for a linear probe (5 to 40, by pictures)"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="pictures in a step (32)")
    parser.add_argument(
        "--learning-rate", type=float, default=0.01, help="highest, of the classifier (0.01)"
    )
    parser.add_argument(
        "--validation", type=float, default=0.2, help="share of each class that validates (0.2)"
    )
    parser.add_argument(
        "--input-shape", metavar="H,W,C", type=_shape, help="of the net (the checkpoint's)"
    )
    parser.add_argument(
        "--freeze", help="batch_norm: its statistics stay; body: a linear probe alone"
    )
    parser.add_argument(
        "--no-flip", dest="flip", action="store_false", help="left and right matter"
    )
    parser.add_argument(
        "--dtype",
        default="auto",
        help="of training: float32, mixed_bfloat16, mixed_float16 (auto: the faster one here)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of split, order, augmentation (0)")
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from zoo.tuning import finetune

    options = {
        name: getattr(arguments, name)
        for name in (
            *("out", "epochs", "batch_size", "learning_rate", "validation", "input_shape"),
            *("freeze", "flip", "dtype", "seed"),
        )
    }
    try:
        tuned = finetune(arguments.checkpoint, arguments.folder, **options)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on after the last epoch.", file=sys.stderr)
        raise
    if arguments.json:
        print_json(dataclasses.asdict(tuned))
    else:
        print(tuned)
    return 0


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"e.g. 96,96,3. Received: {text}") from None
