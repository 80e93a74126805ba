"""Evaluation program: `python -m training.evaluate CHECKPOINT --data-dir DATA`.

Measures a checkpoint (a name of `zoo.list_weights()` or a folder) on the data set of its card,
and says where a figure of the card differs.
"""

import argparse
import json
import sys

import numpy as np

from zoo.preprocessing import Preprocess

TOLERANCE = 1e-3  # 0.1 points


def measure(model, images, how: Preprocess, batch_size: int = 500) -> dict[str, float]:
    """Top-1 and top-5 accuracy and cross-entropy (nats) of a model with softmax output.

    Args:
        model: Keras model, (N, H, W, C) preprocessed -> (N, classes) probabilities.
        images: `training.data.Images`.
        how: the model's preprocessing.
        batch_size: images per step.
    """
    import zoo

    top1 = top5 = 0
    loss = 0.0
    for start in range(0, len(images.y), batch_size):
        part = slice(start, start + batch_size)
        labels = images.y[part]
        batch = zoo.preprocess(how, images.x[part])
        # A last short batch is filled up, so that every step has one shape and compiles once.
        fill = min(batch_size, len(images.y)) - len(batch)
        batch = np.pad(batch, [(0, fill), *[(0, 0)] * (batch.ndim - 1)])
        probabilities = np.asarray(model.predict_on_batch(batch), "float64")[: len(labels)]
        own = np.take_along_axis(probabilities, labels[:, None], axis=1)
        # How many classes are ahead of the right one; ties count against the model.
        ahead = (probabilities >= own).sum(axis=1) - 1
        top1 += int((ahead < 1).sum())
        top5 += int((ahead < 5).sum())
        loss -= float(np.log(np.maximum(own, 1e-12)).sum())
    n = len(images.y)
    return {"top1": top1 / n, "top5": top5 / n, "loss": loss / n}


def command(name: str, split: str) -> str:
    """The command that measures a checkpoint, for its card."""
    return f"python -m training.evaluate {name} --split {split} --data-dir DATA"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("checkpoint", help="name of a checkpoint, or a folder")
    parser.add_argument("--data-dir", default="data", help="folder of the data sets")
    parser.add_argument("--split", default="test", choices=("train", "test"))
    parser.add_argument("--download", action="store_true", help="fetch data that is missing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)

    import zoo
    from training.data import read
    from zoo.errors import ZooError

    try:
        model = zoo.load(arguments.checkpoint, activation="softmax")
        card = model.zoo_card
        images = read(
            card.training.data, arguments.split, arguments.data_dir, download=arguments.download
        )
    except (ZooError, FileNotFoundError) as error:
        print(f"training.evaluate: {error}", file=sys.stderr)
        return 2
    measured = measure(model, images, card.preprocess)
    stated = {m.name: m.value for m in card.metrics if m.split == arguments.split}
    differs = [name for name, value in stated.items() if abs(value - measured[name]) > TOLERANCE]
    if arguments.json:
        about = {"checkpoint": card.name, "data": card.training.data, "split": arguments.split}
        print(json.dumps({**about, "n": len(images.y), **measured, "card": stated}))
    else:
        print(f"{card.name} on {card.training.data}/{arguments.split}, {len(images.y)} images")
        for name, value in measured.items():
            text = f"{value:.4f}" if name == "loss" else f"{value:.2%}"
            print(f"  {name:5s} {text:>8s}  card: {stated.get(name, 'not stated')}")
    if differs:
        print(f"The card differs in: {', '.join(differs)}", file=sys.stderr)
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
