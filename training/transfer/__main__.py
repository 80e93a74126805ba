"""What pretrained weights are worth on other pictures.

    python -m training.transfer CHECKPOINT… --to DATASET… --data-dir DATA

For each checkpoint and set, with 1%, 10% and all of the labels: a linear classifier and nearest
neighbours on the frozen net's pooled features; the whole net fine-tuned; and the same net trained
from scratch on as many pictures. A set is one of the library's, or a folder of DATA with a folder
per class. Classes that a checkpoint has learned already are left out for all. Writes
results/transfer.csv, .md and .png; what the table has already is not measured again, and a
training that was cut off goes on.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

import zoo
from training import data as datasets
from training import machine
from training.data import Images
from training.data.subset import fraction_of, without_classes
from training.results.runs import RESULTS
from training.transfer import linear, page, tuning
from zoo.errors import ZooError

METHODS = ("linear probe", "nearest neighbours", *tuning.RATES)
# fraction of the labels -> seeds: few labels are a matter of luck.
SEEDS = {0.01: 3, 0.1: 1, 1.0: 1}


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        for name in arguments.checkpoints:
            _check(name)
        for data in arguments.to:
            compare(arguments, data)
    except (ZooError, OSError) as error:
        print(f"training.transfer: {error}", file=sys.stderr)
        return 1
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.transfer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="names or folders")
    parser.add_argument("--to", nargs="+", required=True, metavar="DATASET")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument(
        "--fractions", nargs="+", type=float, choices=tuple(SEEDS), default=tuple(SEEDS)
    )
    parser.add_argument("--size", type=int, help="side of the pictures (the checkpoint's own)")
    parser.add_argument(
        "--images", type=int, default=50_000, help="pictures that a net is trained on (50000)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--download", action="store_true", help="fetch data that is missing")
    arguments = parser.parse_args(argv)
    if arguments.images < 1 or (arguments.size is not None and arguments.size < 8):
        parser.error("--images must be at least 1, --size at least 8")
    return arguments


def _check(name: str) -> None:
    card = zoo.card(name)
    if not card.labels or zoo.registry.find(card.architecture).task != "classification":
        raise ZooError(f"{name} is no classifier.")


def compare(arguments: argparse.Namespace, data: str) -> None:
    """Measures what the table does not have of one set, and writes it after each figure."""
    names = [name for name in arguments.checkpoints if zoo.card(name).training.data != data]
    for name in set(arguments.checkpoints) - set(names):
        print(f"{name} was trained on {data}: left out there.", flush=True)
    if not names:
        return
    train, test = (
        datasets.read(data, split, arguments.data_dir, download=arguments.download)
        for split in ("train", "test")
    )
    leave_out = tuning.same_classes(train.labels, names)
    if len(leave_out) > len(train.labels) - 2:
        raise ZooError(f"{data}: its classes are those that {', '.join(names)} has learned.")
    if leave_out:
        print(f"{data}: {len(leave_out)} classes are known to a checkpoint: left out.", flush=True)
        train, test = (without_classes(images, leave_out) for images in (train, test))
    for name in names:
        known = page.read(arguments.results)
        for row in _rows(arguments, data, name, train, test, leave_out, known):
            known.append(row)
            page.write(known, arguments.results)
            print("  ".join(str(row[key]) for key in page.SHOWN), flush=True)
        keras.backend.clear_session()


def _rows(
    arguments: argparse.Namespace,
    data: str,
    name: str,
    train: Images,
    test: Images,
    leave_out: tuple[str, ...],
    known: list[dict],
) -> Iterator[dict]:
    card = zoo.card(name)
    size = arguments.size or card.preprocess.size[0]
    common = {
        "data": data,
        "classes": len(train.labels),
        "checkpoint": card.name,
        "version": card.version,
        "size": size,
        "test_images": len(test.y),
    }
    missing = []
    for fraction in arguments.fractions:
        for seed in range(SEEDS[fraction]):
            for method in arguments.methods:
                images = arguments.images if method in tuning.RATES else 0
                row = {
                    **common,
                    "method": method,
                    "fraction": fraction,
                    "seed": seed,
                    "images": images,
                }
                if not any(page.same(row, other) for other in known):
                    missing.append(row)
    if any(row["method"] not in tuning.RATES for row in missing):
        yield from _on_features(name, arguments.size, train, test, missing)
    for row in missing:
        if row["method"] not in tuning.RATES:
            continue
        some = fraction_of(train, row["fraction"], row["seed"])
        settings = tuning.recipe(
            name,
            card,
            data,
            row["method"],
            examples=len(some.y),
            images=row["images"],
            fraction=row["fraction"],
            seed=row["seed"],
            size=arguments.size,
            leave_out=leave_out,
        )
        place = f"{row['method'].replace(' ', '_')}_{row['fraction']:g}_{row['seed']}"
        run = arguments.runs / f"{data}_{size}_{row['images']}" / card.name / place
        began = time.perf_counter()
        top1 = tuning.accuracy(run, settings, arguments.data_dir)
        yield _measured(row, some, top1, began) | {"epochs": settings.epochs}


def _on_features(
    name: str, size: int | None, train: Images, test: Images, missing: list[dict]
) -> Iterator[dict]:
    shape = {} if size is None else {"input_shape": (size, size, 3)}
    model = zoo.load(name, num_classes=0, **shape)
    print(f"{name}: features of {len(train.y) + len(test.y)} images …", flush=True)
    train_features, test_features = (linear.features(model, images) for images in (train, test))
    classify = {
        "linear probe": linear.linear_probe,
        "nearest neighbours": linear.nearest_neighbours,
    }
    numbers = dataclasses.replace(train, x=np.arange(len(train.y)))
    for row in missing:
        if row["method"] not in classify:
            continue
        began = time.perf_counter()
        some = fraction_of(numbers, row["fraction"], row["seed"])
        answers = classify[row["method"]](train_features[some.x], some.y, test_features)
        yield _measured(row, some, float((answers == test.y).mean()), began)


def _measured(row: dict, some: Images, top1: float, began: float) -> dict:
    return row | {
        "train_images": len(some.y),
        "top1": round(top1, 4),
        "seconds": round(time.perf_counter() - began),
        "backend": keras.backend.backend(),
        "device": machine.device(),
    }


if __name__ == "__main__":
    sys.exit(main())
