"""Pretrained models by name."""

import logging
import os
from typing import Any

import keras

from zoo import checks
from zoo.checkpoint.card import CARD_FILE
from zoo.checkpoint.files import read_card
from zoo.checkpoint.folder import load_checkpoint
from zoo.checkpoint.plan import plan
from zoo.errors import CheckpointError
from zoo.hub import remote
from zoo.hub.index import locate
from zoo.models.freeze import check_freeze
from zoo.models.freeze import freeze as freeze_layers

_log = logging.getLogger("zoo")
_named: set[str] = set()  # default checkpoints that were named to the user


def load(
    checkpoint: str | os.PathLike,
    *,
    num_classes: int | None = None,
    activation: str | None = "card",
    features: bool = False,
    input_shape: tuple[int | None, ...] | None = None,
    freeze: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """A pretrained model.

    Args:
        checkpoint: str or path: "architecture.tag", an architecture (its default checkpoint, which
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
        input_shape: tuple of int, (H, W, C) for pictures of another size than the checkpoint was
            trained with, to which `zoo.preprocess` and `zoo.predict` then fit them; (None, None, C)
            for arrays of any size, where these two keep to the checkpoint's; None for the
            checkpoint's. Convolutional nets take any size from a least one up, nets with dense
            weights on pixels none but their own.
        freeze: str, "body" for the head alone to be trainable, "batch_norm" for BatchNormalization
            layers that keep their statistics bit for bit, None for everything trainable.
        name: str, of the model, so that two of one architecture can be parts of another model; None
            for the architecture's. Paths of variables do not depend on it.

    Returns:
        keras.Model, regularizers and constraints live; its card is `model.zoo_card`.

    Raises:
        UnknownNameError: no such checkpoint or architecture; names the nearest.
        CheckpointError: the checkpoint is damaged or does not fit. Nothing was loaded.
        HubError: it is on the Hub, and not to be had from there; says why.
        ZooError: an argument is out of range, or the weights do not take this `input_shape`.

    Example:

    >>> model = zoo.load("resnet20")
    >>> model = zoo.load("resnet20.cifar10", num_classes=5)
    >>> model.output_shape
    (None, 5)
    >>> body = zoo.load("resnet20", features=True, freeze="batch_norm")
    >>> sorted(body.output)
    ['P0', 'P1', 'P2']
    >>> model = zoo.load("resnet20", input_shape=(64, 64, 3), name="larger")
    >>> zoo.preprocess(model, np.zeros((480, 640, 3), "uint8")).shape
    (1, 64, 64, 3)
    >>> model = zoo.load("weights/resnet20.cifar10", activation=None)
    >>> model = zoo.load("hf://org/name@v1")  # doctest: +SKIP
    """
    check_freeze(freeze)
    if name is not None:
        checks.model_name(name)
    wanted: dict[str, Any] = {
        "num_classes": num_classes,
        "activation": activation,
        "features": features,
        "input_shape": input_shape,
    }
    if input_shape is not None:  # refused before anything large is downloaded
        place = locate(checkpoint, weights=False)
        if place.repo is not None:
            plan(read_card(place.folder), str(place.folder / CARD_FILE), **wanted)
    place = locate(checkpoint)

    def build() -> keras.Model:
        return load_checkpoint(place.folder, **wanted, name=place.name, model_name=name)

    try:
        model = build()
    except CheckpointError:
        if place.repo is None or not remote.repair(place.repo, place.folder):
            raise
        model = build()
    if place.name not in (None, checkpoint) and place.name not in _named:
        _named.add(place.name)
        _log.warning(
            "%s is the checkpoint %s here (%s); zoo.create(%r) builds the published net.",
            *(checkpoint, place.name, model.zoo_card.summary, checkpoint),
        )
    return freeze_layers(model, freeze, model.zoo_card.head)
