"""Pretrained models by name."""

import logging
import os

import keras

from zoo.checkpoint.folder import load_checkpoint
from zoo.errors import CheckpointError
from zoo.hub import remote
from zoo.hub.index import locate
from zoo.models.freeze import check_freeze
from zoo.models.freeze import freeze as freeze_layers

_log = logging.getLogger("zoo")
_named: set[str] = set()  # default checkpoints that were named to the user


def load(
    name: str | os.PathLike,
    *,
    num_classes: int | None = None,
    activation: str | None = "card",
    features: bool = False,
    freeze: str | None = None,
) -> keras.Model:
    """A pretrained model.

    Args:
        name: str or path: "architecture.tag", an architecture (its default checkpoint, which
            the first load names: often it is slimmer than the published net),
            "hf://org/name" or "hf://org/name@revision" (branch, tag or commit) of the Hugging Face
            Hub, or a folder. What is downloaded stays in the standard Hub cache.
        num_classes: int, None for the published classifier; K for the pretrained body with a new
            classifier of K classes (exactly that is new, and a warning says so); 0 for the pooled
            features.
        activation: str, "softmax" for probabilities, "sigmoid", None for logits, "card" for what
            the checkpoint was published with.
        features: bool, True for a backbone, which gives the outputs of the stages by level, {"P2":
            stride 4, "P3": stride 8, …}, and has no head.
        freeze: str, "body" for the head alone to be trainable, "batch_norm" for BatchNormalization
            layers that keep their statistics bit for bit, None for everything trainable.

    Returns:
        keras.Model, regularizers and constraints live; its card is `model.zoo_card`.

    Raises:
        UnknownNameError: no such checkpoint or architecture; names the nearest.
        CheckpointError: the checkpoint is damaged or does not fit. Nothing was loaded.
        HubError: it is on the Hub, and not to be had from there; says why.
        ZooError: an argument is out of range.

    Example:

    >>> model = zoo.load("resnet20")
    >>> model = zoo.load("resnet20.cifar10", num_classes=5)
    >>> model.output_shape
    (None, 5)
    >>> body = zoo.load("resnet20", features=True, freeze="batch_norm")
    >>> sorted(body.output)
    ['P0', 'P1', 'P2']
    >>> model = zoo.load("weights/resnet20.cifar10", activation=None)
    >>> model = zoo.load("hf://org/name@v1")  # doctest: +SKIP
    """
    check_freeze(freeze)
    place = locate(name)

    def build() -> keras.Model:
        return load_checkpoint(
            place.folder,
            num_classes=num_classes,
            activation=activation,
            features=features,
            name=place.name,
        )

    try:
        model = build()
    except CheckpointError:
        if place.repo is None or not remote.repair(place.repo, place.folder):
            raise
        model = build()
    if place.name is not None and name != place.name and place.name not in _named:
        _named.add(place.name)
        _log.warning(
            "%s is the checkpoint %s here (%s); zoo.create(%r) builds the published net.",
            *(name, place.name, model.zoo_card.summary, name),
        )
    return freeze_layers(model, freeze, model.zoo_card.head)
