"""From a finished run to a shipped checkpoint: `python -m training.publish_checkpoint RUN`.

Writes `weights/NAME`, in float16 where that leaves the accuracy as it is, with the figures that
the stored files give on the full sets.
"""

import argparse
import dataclasses
import json
import shutil
import sys
from pathlib import Path

import keras

from training import data as datasets
from training.tasks.classification.measure import command, measure
from zoo.checkpoint.card import Card, Metric
from zoo.checkpoint.files import read_card
from zoo.checkpoint.folder import load_checkpoint, save_checkpoint
from zoo.errors import ZooError
from zoo.registry import find

# A stored checkpoint may lose this much top-1 accuracy against the float32 one: 0.05 points.
FLOAT16_TOLERANCE = 5e-4


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.publish_checkpoint", description=__doc__
    )
    parser.add_argument("run", type=Path, help="run folder of training.train")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--to", type=Path, default=Path("weights"), help="folder of checkpoints")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float16")
    parser.add_argument(
        "--new-version", action="store_true", help="replace an earlier version of the checkpoint"
    )
    parser.add_argument("--tag", help="of the published name; by default the recipe's")
    arguments = parser.parse_args(argv)

    try:
        folder = publish(
            arguments.run,
            arguments.to,
            arguments.data_dir,
            dtype=arguments.dtype,
            new_version=arguments.new_version,
            tag=arguments.tag,
        )
    except (ZooError, OSError) as error:
        print(f"training.publish_checkpoint: {error}", file=sys.stderr)
        return 1
    print(f"Published {folder}")
    return 0


def publish(
    run: Path,
    to: Path,
    data_dir: str,
    *,
    dtype: str = "float16",
    new_version: bool = False,
    tag: str | None = None,
) -> Path:
    """Publishes `run/checkpoint` under `to` and returns its folder.

    The name is that of the run's card, or "architecture.tag".

    Raises:
        ZooError: the run is not finished, or held images out; a checkpoint of that name is there
            already and `new_version` is False; or float16 costs more accuracy than
            `FLOAT16_TOLERANCE`.
    """
    accuracy = _test_accuracy(run)
    model = load_checkpoint(run / "checkpoint")
    card = model.zoo_card
    if tag is not None:
        card = dataclasses.replace(card, name=f"{card.architecture}.{tag}")
    folder = to / card.name
    card = dataclasses.replace(card, version=_version(folder, new_version), dtype=dtype)

    # Write under another name, measure what was written, and only then put it in place.
    staged = to / f".{card.name}.partial"
    shutil.rmtree(staged, ignore_errors=True)
    save_checkpoint(model, staged, card)
    metrics = _metrics(load_checkpoint(staged), card, data_dir)
    if accuracy - metrics[0].value > FLOAT16_TOLERANCE:
        shutil.rmtree(staged)
        raise ZooError(
            f"{dtype} storage lowers top-1 accuracy from {accuracy:.4f} to "
            f"{metrics[0].value:.4f}. Publish with --dtype float32."
        )
    if (run / "curve.png").exists():
        shutil.copy(run / "curve.png", staged)
    save_checkpoint(model, staged, dataclasses.replace(card, metrics=metrics))
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
    return folder


def _test_accuracy(run: Path) -> float:
    """What a finished run of a classifier was measured at."""
    if not (run / "metrics.json").is_file():
        raise ZooError(f"{run} is not a finished run: it has no metrics.json. Train it to the end.")
    architecture = read_card(run / "checkpoint").architecture
    if find(architecture).task != "classification":
        raise ZooError(
            f"{run} trained {architecture}, and this program measures classifiers. "
            f"`zoo publish {run / 'checkpoint'}` takes any checkpoint."
        )
    measured = json.loads((run / "metrics.json").read_text())
    if "held_out" in measured:
        raise ZooError(
            f"{run} held out a part of the training set to choose settings by. Train with the "
            "settings that it speaks for, on all images, and publish that."
        )
    return measured["test"]["top1"]


def _version(folder: Path, new_version: bool) -> int:
    """The version that a checkpoint in `folder` has from now on."""
    if not (folder / "zoo.json").exists():
        return 1
    if not new_version:
        raise ZooError(
            f"{folder} exists, and a published name keeps its weights. Give the run another "
            "tag, or say --new-version."
        )
    return read_card(folder).version + 1


def _metrics(model: keras.Model, card: Card, data_dir: str) -> tuple[Metric, ...]:
    """The figures of a stored checkpoint on the full sets, top-1 of the test set first."""
    metrics = []
    for split in ("test", "train"):
        images = datasets.read(card.training.data, split, data_dir)
        for name, value in measure(model, images, card.preprocess).items():
            metrics.append(
                Metric(
                    dataset=card.training.data,
                    split=split,
                    name=name,
                    value=round(value, 6),
                    n=len(images.y),
                    command=command(card.name, split),
                )
            )
    return tuple(metrics)


if __name__ == "__main__":
    sys.exit(main())
