"""`zoo export CHECKPOINT`: a checkpoint as a file of another runtime."""

import argparse
import dataclasses
from pathlib import Path

from zoo.cli.output import add_json, add_verbose, print_json

HELP = "Writes a classifier for OpenVINO, ONNX Runtime, LiteRT, TensorFlow or PyTorch."
SUFFIXES = {
    "openvino": ".xml",
    "onnx": ".onnx",
    "litert": ".tflite",
    "savedmodel": "",
    "torch": ".pt2",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="name of a checkpoint, or its folder"
    )
    parser.add_argument("--format", choices=tuple(SUFFIXES), default="openvino", help="(openvino)")
    parser.add_argument(
        "--precision", choices=("float32", "float16", "int8"), default="float32", help="(float32)"
    )
    parser.add_argument(
        "--calibrate", metavar="FOLDER", help="pictures to compare on; int8 is measured with them"
    )
    parser.add_argument("--to", metavar="FILE", help="(the checkpoint's name in this folder)")
    parser.add_argument(
        "--normalize", action="store_true", help="the file takes pixels of 0 to 255"
    )
    parser.add_argument("--overwrite", action="store_true", help="replaces an earlier export")
    parser.add_argument(
        "--force", action="store_true", help="keeps a file that disagrees with the checkpoint"
    )
    add_json(parser)
    add_verbose(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    name = Path(arguments.checkpoint).name
    precision = "" if arguments.precision == "float32" else f".{arguments.precision}"
    default = name if arguments.format == "savedmodel" else f"{name}{precision}"
    path = Path(arguments.to or f"{default}{SUFFIXES[arguments.format]}")

    from zoo.deploy.exporting import export

    card = export(
        arguments.checkpoint,
        path,
        format=arguments.format,
        precision=arguments.precision,
        calibrate=arguments.calibrate,
        normalize=arguments.normalize,
        overwrite=arguments.overwrite,
        force=arguments.force,
    )
    if arguments.json:
        print_json({"path": str(path), **dataclasses.asdict(card)})
        return 0
    agreement = card.agreement
    kind = "pictures" if agreement.real else "generated pictures (--calibrate FOLDER for real ones)"
    print(f"{path}: {card.format}, {card.precision}")
    print(
        f"same first class as the checkpoint on {agreement.top1:.1%} of {agreement.pictures} {kind}"
    )
    print(f"greatest difference of an output: {agreement.difference:.2g} of the greatest")
    print(f"zoo predict {path} PHOTO")
    return 0
