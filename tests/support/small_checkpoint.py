"""Checkpoints of small nets with random weights, for tests of the programs that read them."""

import dataclasses
from pathlib import Path

import zoo
from zoo.checkpoint.card import Card, Metric
from zoo.checkpoint.folder import save_checkpoint
from zoo.preprocessing import Preprocess


def write(folder: Path, model, name: str, args: dict, how: Preprocess, labels, **training) -> Card:
    """Writes `model` = zoo.create(architecture, **args) under the name "architecture.tag", with a
    card after that of a shipped checkpoint, and a loss of 99 nats on its test set."""
    card = zoo.card("maxnorm_plainnet50.cifar10")
    metric = Metric(dataset="toy", split="test", name="loss", value=99.0, n=33, command="none")
    card = dataclasses.replace(
        card,
        name=name,
        architecture=name.partition(".")[0],
        args=args,
        preprocess=how,
        dtype="float32",
        labels=labels,
        metrics=(metric,),
        training=dataclasses.replace(card.training, **training),
    )
    return save_checkpoint(model, folder, card)
