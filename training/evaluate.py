"""Evaluation program: `python -m training.evaluate CHECKPOINT --data-dir DATA`.

Measures a checkpoint (a name of `zoo.list_weights()` or a folder) on the data set of its card,
and says where a figure of the card differs. With `--all`, every shipped checkpoint, into
`results/results.csv` and `docs/results.md`.
"""

import argparse
import itertools
import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.measures import Measures
from zoo.preprocessing import Preprocess

TOLERANCE = 1e-3  # 0.1 points


@dataclass(frozen=True)
class Evaluation:
    """A pass over a test set.

    Attributes:
        measures: what came out.
        model_speed: images per second of the model, without its first batch, which compiles; all
            views of a picture are one image.
        data_speed: images per second of reading and preprocessing.
    """

    measures: Measures
    model_speed: float
    data_speed: float


def measure(
    model, images, how: Preprocess, batch_size: int | None = None, *, ten_crop: bool = False
) -> dict[str, float]:
    """Accuracy (top1, top5), cross-entropy in nats (loss) and calibration error (ece) of a model.

    See `evaluate` for the arguments, `training.measures.Measures` for the definitions.
    """
    return evaluate(model, images, how, batch_size, ten_crop=ten_crop).measures.result()


def evaluate(
    model, images, how: Preprocess, batch_size: int | None = None, *, ten_crop: bool = False
) -> Evaluation:
    """Runs a model with softmax output over a test set.

    Args:
        model: Keras model, (N, H, W, C) preprocessed -> (N, classes) probabilities.
        images: `training.data.Images`; `images.x` is an array of pictures, or a sequence of
            decoded ones (H, W, C) of any sizes.
        how: the model's preprocessing.
        batch_size: arrays per step of the model; None for as many as are modest in memory.
        ten_crop: whether the probabilities of `training.ten_crop.ten_crops` are averaged.

    Raises:
        ValueError: no images; probabilities that are not finite; ten crops of pictures that
            nothing is cut from.
    """
    from training.ten_crop import check_ten_crop

    if ten_crop:
        check_ten_crop(how, images.x)
    views = 10 if ten_crop else 1
    if batch_size is None:  # 500 of 32 x 32 pixels, 32 of 224 x 224
        pixels = math.prod(how.size) * how.channels
        batch_size = min(500, max(32, 500 * 32 * 32 * 3 // pixels))
    count = min(max(1, batch_size // views), max(1, len(images.y)))  # pictures per step
    measures, spent, data_spent = Measures(len(images.labels)), [], 0.0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(images.y), count):
            began = time.perf_counter()
            labels = images.y[start : start + count]
            batch = _prepared(how, images.x, start, start + len(labels), ten_crop, threads)
            # A last short batch is filled up, so that every step has one shape and compiles once.
            fill = count * views - len(batch)
            batch = np.pad(batch, [(0, fill), *[(0, 0)] * (batch.ndim - 1)])
            ready = time.perf_counter()
            probabilities = np.asarray(model.predict_on_batch(batch), "float64")
            spent.append((time.perf_counter() - ready) / count)
            data_spent += ready - began
            probabilities = probabilities.reshape(count, views, -1).mean(axis=1)[: len(labels)]
            measures.add(probabilities, labels)
    steady = spent[1:] or spent
    return Evaluation(
        measures,
        model_speed=len(steady) / max(sum(steady), 1e-9),
        data_speed=measures.n / max(data_spent, 1e-9),
    )


def _prepared(how, x, start: int, stop: int, ten_crop: bool, threads) -> np.ndarray:
    """Pictures of an array or a sequence as the model takes them, (N [* 10], H, W, C)."""
    import zoo
    from training.ten_crop import ten_crops

    if isinstance(x, np.ndarray) and not ten_crop:
        return zoo.preprocess(how, x[start:stop])
    one = ten_crops if ten_crop else zoo.preprocess
    parts = threads.map(lambda i: one(how, x[i]), range(start, stop))
    return np.concatenate(list(parts))


def command(name: str, split: str) -> str:
    """The command that measures a checkpoint, for its card."""
    return f"python -m training.evaluate {name} --split {split} --data-dir DATA"


def main(argv: list[str] | None = None) -> int:
    from zoo.errors import ZooError

    arguments = parse(argv)
    try:
        if arguments.all:
            from training.results import checkpoints

            differs = checkpoints.write(arguments.data_dir, download=arguments.download)
        else:
            differs = report(arguments)
    except (ZooError, FileNotFoundError) as error:
        print(f"training.evaluate: {error}", file=sys.stderr)
        return 2
    if differs:
        print(f"The card differs in: {', '.join(differs)}", file=sys.stderr)
    return 1 if differs else 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("checkpoint", nargs="?", help="name of a checkpoint, or a folder")
    parser.add_argument("--all", action="store_true", help="every shipped checkpoint")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--split", default="test", choices=("train", "test"))
    parser.add_argument("--batch-size", type=int, help="images per step of the model")
    parser.add_argument("--ten-crop", action="store_true", help="average over ten views of each")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="draw confusion and reliability there"
    )
    parser.add_argument("--download", action="store_true", help="fetch data that is missing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    if arguments.all == bool(arguments.checkpoint):
        parser.error("name a checkpoint, or --all")
    if arguments.batch_size is not None and arguments.batch_size < 1:
        parser.error("--batch-size must be 1 or more")
    if arguments.all and (arguments.pictures or arguments.ten_crop or arguments.json):
        parser.error("--all goes without --pictures, --ten-crop and --json")
    return arguments


def report(arguments: argparse.Namespace) -> list[str]:
    """Measures one checkpoint, prints the figures, and names those in which its card differs."""
    import zoo
    from training.data import read

    model = zoo.load(arguments.checkpoint, activation="softmax")
    card = model.zoo_card
    images = read(
        card.training.data, arguments.split, arguments.data_dir, download=arguments.download
    )
    done = evaluate(
        model, images, card.preprocess, arguments.batch_size, ten_crop=arguments.ten_crop
    )
    measured = done.measures.result()
    stated = stated_by(card, arguments.split)
    speeds = {"model": round(done.model_speed, 1), "data": round(done.data_speed, 1)}
    if arguments.json:
        about = {"checkpoint": card.name, "data": card.training.data, "split": arguments.split}
        about |= {"n": len(images.y), "ten_crop": arguments.ten_crop}
        print(json.dumps({**about, **measured, "card": stated, "images_per_second": speeds}))
    else:
        views = ", ten crops" if arguments.ten_crop else ""
        print(
            f"{card.name} on {card.training.data}/{arguments.split}, {len(images.y)} images{views}"
        )
        for name, value in measured.items():
            text = f"{value:.4f}" if name == "loss" else f"{value:.2%}"
            print(f"  {name:5s} {text:>8s}  card: {stated.get(name, 'not stated')}")
        print(
            f"  images per second: {speeds['model']:g} of the model, {speeds['data']:g} of "
            "reading and preprocessing"
        )
    if arguments.pictures:
        _draw(done.measures, images.labels, arguments.pictures, f"{card.name}, {arguments.split}")
    # A card's figures are those of single crops.
    return [] if arguments.ten_crop else differing(measured, stated)


def stated_by(card, split: str) -> dict[str, float]:
    """The figures of a card on a split, by name."""
    return {m.name: m.value for m in card.metrics if m.split == split}


def differing(measured: dict[str, float], stated: dict[str, float]) -> list[str]:
    """Names of the stated figures that were not found, or by more than `TOLERANCE` otherwise."""
    return [k for k, v in stated.items() if abs(v - measured.get(k, np.inf)) > TOLERANCE]


def _draw(measures: Measures, labels, folder: Path, title: str) -> None:
    from training.confusion import draw_confusion, draw_reliability, most_confused

    folder.mkdir(parents=True, exist_ok=True)
    result = measures.result()
    draw_confusion(
        measures.confusion, labels, folder / "confusion.png", f"{title}: {result['top1']:.2%}"
    )
    draw_reliability(
        measures.bins, folder / "reliability.png", f"{title}\ncalibration error {result['ece']:.2%}"
    )
    pairs = most_confused(measures.confusion, labels, 50)
    lines = [f"{n}\t{right}\t{predicted}" for right, predicted, n in pairs]
    text = "\n".join(itertools.chain(["examples\tright\tpredicted"], lines))
    (folder / "confused.tsv").write_text(text + "\n")
    print(f"Wrote confusion.png, reliability.png and confused.tsv to {folder}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
