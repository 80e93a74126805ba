"""A classifier's checkpoint, measured for `python -m training.evaluate`."""

import argparse
import json

import zoo
from training import data as datasets
from training.tasks.classification.measure import differing, draw, evaluate, stated_by


def report(arguments: argparse.Namespace) -> list[str]:
    """Measures one checkpoint, prints the figures, and names those in which its card differs."""
    model = zoo.load(arguments.checkpoint, activation="softmax")
    card = model.zoo_card
    images = datasets.read(
        card.training.data, arguments.split, arguments.data_dir, download=arguments.download
    )
    done = evaluate(
        model, images, card.preprocess, arguments.batch_size, ten_crop=arguments.ten_crop
    )
    measured = done.scores.result()
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
        draw(done.scores, images.labels, arguments.pictures, f"{card.name}, {arguments.split}")
    # A card's figures are those of single crops.
    return [] if arguments.ten_crop else differing(measured, stated)
