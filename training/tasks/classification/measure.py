"""A classifier on a whole set: accuracy, loss, calibration and speed."""

import itertools
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import zoo
from training.tasks.classification.confusion import (
    draw_confusion,
    draw_reliability,
    most_confused,
)
from training.tasks.classification.scores import ClassificationScores
from training.tasks.classification.ten_crop import check_ten_crop, ten_crops
from zoo.preprocessing import Preprocess

TOLERANCE = 1e-3  # 0.1 points


@dataclass(frozen=True)
class Evaluation:
    """A pass over a test set.

    Attributes:
        scores: what came out.
        model_speed: images per second of the model, without its first batch, which compiles; all
            views of a picture are one image.
        data_speed: images per second of reading and preprocessing.
    """

    scores: ClassificationScores
    model_speed: float
    data_speed: float


def measure(
    model, images, preprocess: Preprocess, batch_size: int | None = None, *, ten_crop: bool = False
) -> dict[str, float]:
    """Accuracy (top1, top5), cross-entropy in nats (loss) and calibration error (ece) of a model.

    See `evaluate` for the arguments, `training.tasks.classification.scores` for the definitions.
    """
    return evaluate(model, images, preprocess, batch_size, ten_crop=ten_crop).scores.result()


def evaluate(
    model, images, preprocess: Preprocess, batch_size: int | None = None, *, ten_crop: bool = False
) -> Evaluation:
    """Runs a model with softmax output over a test set.

    Args:
        model: Keras model, (N, H, W, C) preprocessed -> (N, classes) probabilities.
        images: `training.data.Images`; `images.x` is an array of pictures, or a sequence of
            decoded ones (H, W, C) of any sizes.
        preprocess: the model's preprocessing.
        batch_size: arrays per step of the model; None for as many as are modest in memory.
        ten_crop: whether the probabilities of `ten_crops` are averaged.

    Raises:
        ZooError: no images; probabilities that are not finite; ten crops of pictures that
            nothing is cut from.
    """
    if ten_crop:
        check_ten_crop(preprocess, images.x)
    views = 10 if ten_crop else 1
    if batch_size is None:  # 500 of 32 x 32 pixels, 32 of 224 x 224
        pixels = math.prod(preprocess.size) * preprocess.channels
        batch_size = min(500, max(32, 500 * 32 * 32 * 3 // pixels))
    count = min(max(1, batch_size // views), max(1, len(images.y)))  # pictures per step
    scores, spent, data_spent = ClassificationScores(len(images.labels)), [], 0.0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(images.y), count):
            began = time.perf_counter()
            labels = images.y[start : start + count]
            batch = _prepared(preprocess, images.x, start, start + len(labels), ten_crop, threads)
            # A last short batch is filled up, so that every step has one shape and compiles once.
            fill = count * views - len(batch)
            batch = np.pad(batch, [(0, fill), *[(0, 0)] * (batch.ndim - 1)])
            ready = time.perf_counter()
            probabilities = np.asarray(model.predict_on_batch(batch), "float64")
            spent.append((time.perf_counter() - ready) / count)
            data_spent += ready - began
            probabilities = probabilities.reshape(count, views, -1).mean(axis=1)[: len(labels)]
            scores.add(probabilities, labels)
    steady = spent[1:] or spent
    return Evaluation(
        scores,
        model_speed=len(steady) / max(sum(steady), 1e-9),
        data_speed=scores.n / max(data_spent, 1e-9),
    )


def _prepared(preprocess, x, start: int, stop: int, ten_crop: bool, threads) -> np.ndarray:
    """Pictures of an array or a sequence as the model takes them, (N [* 10], H, W, C)."""
    if isinstance(x, np.ndarray) and not ten_crop:
        return zoo.preprocess(preprocess, x[start:stop])
    one = ten_crops if ten_crop else zoo.preprocess
    parts = threads.map(lambda i: one(preprocess, x[i]), range(start, stop))
    return np.concatenate(list(parts))


def command(name: str, split: str) -> str:
    """The command that measures a checkpoint, for its card."""
    return f"python -m training.evaluate {name} --split {split} --data-dir DATA"


def stated_by(card, split: str) -> dict[str, float]:
    """The figures of a card on a split, by name."""
    return {m.name: m.value for m in card.metrics if m.split == split}


def differing(measured: dict[str, float], stated: dict[str, float]) -> list[str]:
    """Names of the stated figures that were not found, or by more than `TOLERANCE` otherwise."""
    return [k for k, v in stated.items() if abs(v - measured.get(k, np.inf)) > TOLERANCE]


def draw(scores: ClassificationScores, labels, folder: Path, title: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    result = scores.result()
    draw_confusion(
        scores.confusion, labels, folder / "confusion.png", f"{title}: {result['top1']:.2%}"
    )
    draw_reliability(
        scores.bins, folder / "reliability.png", f"{title}\ncalibration error {result['ece']:.2%}"
    )
    pairs = most_confused(scores.confusion, labels, 50)
    lines = [f"{n}\t{right}\t{predicted}" for right, predicted, n in pairs]
    text = "\n".join(itertools.chain(["examples\tright\tpredicted"], lines))
    (folder / "confused.tsv").write_text(text + "\n")
    print(f"Wrote confusion.png, reliability.png and confused.tsv to {folder}", file=sys.stderr)
