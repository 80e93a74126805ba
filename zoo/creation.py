"""Models with fresh weights, or on the body of a checkpoint."""

import os
from typing import Any

import keras

from zoo.detection.variants import Detector
from zoo.errors import ZooError
from zoo.hub.loading import load
from zoo.models.deferred import build_without_values, fill
from zoo.models.transfer import copy_weights
from zoo.models.variant import Variant
from zoo.registry import find


def create(
    architecture: str,
    *,
    name: str | None = None,
    backbone_weights: str | os.PathLike | None = None,
    **options: Any,
) -> keras.Model:
    """Builds an architecture with fresh weights.

    Args:
        architecture: str, one of `zoo.list_models()`.
        name: str, of the model, so that two of one architecture can be parts of another model;
            None for the architecture's. Paths of variables do not depend on it.
        backbone_weights: str or path. For a detector, the checkpoint whose body it starts from,
            anything that `zoo.load` takes; its card gives the backbone's options.
        **options: arguments of the family's function, e.g. `num_classes`, `input_shape`,
            `activation` (None for logits). `zoo info NAME` lists them.

    Returns:
        Functional Keras model that takes preprocessed float arrays, channels last.

    Raises:
        ZooError: for an unknown name or option (names the nearest valid one) and for a value
            out of range (names what is allowed); for `backbone_weights` that do not fit.

    Example:

    >>> zoo.create("plainnet44", num_classes=100).output_shape
    (None, 100)
    >>> small = {"input_shape": (64, 64, 3), "fpn_filters": 8, "head_units": 16}
    >>> zoo.create("mask_rcnn_resnet20", backbone_weights="resnet20", **small).name
    'mask_rcnn_resnet20'
    """
    variant = find(architecture)
    if backbone_weights is None:
        return variant.build(name=name, **options)
    return _create_on(variant, backbone_weights, name, options)


def load_body(
    variant: Variant, checkpoint: str | os.PathLike
) -> tuple[keras.Model, dict[str, Any]]:
    """The body of a checkpoint for a detector, and the options that a detector must have for it.

    Args:
        variant: Variant of the detector.
        checkpoint: str or path. Anything that `zoo.load` takes, of the detector's own backbone.

    Returns:
        The model that gives the features, and a dict of the options.

    Raises:
        ZooError: the variant is no detector, or the checkpoint is of another architecture.

    Example:

    >>> body, options = load_body(find("mask_rcnn_resnet20"), "resnet20")
    >>> sorted(body.output), options
    (['P0', 'P1', 'P2'], {'num_classes': 10})
    """
    if not isinstance(variant, Detector):
        raise ZooError(f"{variant.name} is no detector: it takes no backbone_weights.")
    body = load(checkpoint, features=True)
    card = body.zoo_card
    if card.architecture != variant.backbone.name:
        raise ZooError(
            f"{variant.name}: backbone_weights must be of {variant.backbone.name}. "
            f"Received: {card.name}, of {card.architecture}"
        )
    known = variant.options.keys() - {"input_shape"}
    return body, {name: value for name, value in card.args.items() if name in known}


def _create_on(
    variant: Variant, checkpoint: str | os.PathLike, name: str | None, options: dict[str, Any]
) -> keras.Model:
    """A detector whose backbone has the weights of a checkpoint, and its options where `options`
    has no others."""
    body, body_options = load_body(variant, checkpoint)
    model = build_without_values(lambda: variant.build(name=name, **{**body_options, **options}))
    copy_weights(body, model.backbone, name="backbone_weights")
    fill(model, {})  # what stands on the body
    return model
