"""The card of a model that has none yet."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from zoo.checkpoint.card import ZOO_FORMAT, Argument, BatchNorm, Card, Training
from zoo.detection.heads import CLASS_LAYERS
from zoo.preprocessing import Preprocess
from zoo.registry import find
from zoo.version import __version__

# Layers that depend on the number of classes, in any network of the zoo.
HEAD_LAYERS = ("head_dense", *CLASS_LAYERS)
REQUIRES = f"zoo>={__version__}"


def new_card(
    model: keras.Model,
    name: str,
    *,
    args: Mapping[str, Argument],
    preprocess: Preprocess,
    labels: Sequence[str],
    training: Training,
    license: str,
    **fields: Any,
) -> Card:
    """A card, version 1, whose other fields follow from the model.

    Args:
        model: keras.Model, built by `zoo.create(architecture, **args)`.
        name: str, "architecture.tag".
        args: mapping of str to the arguments that build the model.
        preprocess: Preprocess, how images become the model's input.
        labels: sequence of str, of the classes in order; () where they are unknown.
        training: Training, where the weights come from.
        license: str, of the weights, e.g. "Apache-2.0".
        **fields: other fields of `Card`, where they differ.

    Returns:
        Card. `files` is empty: `save_checkpoint` fills it in.

    Raises:
        UnknownNameError: there is no such architecture.

    Example:

    >>> args = {"num_classes": 2, "input_shape": (8, 8, 1)}
    >>> card = new_card(
    ...     zoo.create("maxnorm_mlp3", **args),
    ...     "maxnorm_mlp3.toy",
    ...     args=args,
    ...     preprocess=Preprocess((8, 8), 1, 8, "bilinear", 1 / 255, mean=(0.5,), std=(0.25,)),
    ...     labels=["cat", "dog"],
    ...     training=Training(),
    ...     license="Apache-2.0",
    ... )
    >>> card.head, card.batch_norm
    (('head_dense',), BatchNorm(epsilon=1e-05, momentum=0.9))
    """
    architecture = name.partition(".")[0]
    layers = model._flatten_layers()
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    names = {layer.name for layer in layers}
    defaults: dict[str, Any] = {
        "version": 1,
        "head": tuple(layer for layer in HEAD_LAYERS if layer in names),
        "dtype": "float32",
        "batch_norm": BatchNorm(norms[0].epsilon, norms[0].momentum) if norms else None,
        "metrics": (),
        "citation": find(architecture).paper,
        "requires": REQUIRES,
    }
    return Card(
        zoo_format=ZOO_FORMAT,
        name=name,
        architecture=architecture,
        args=args,
        preprocess=preprocess,
        labels=tuple(labels),
        files={},
        params=model.count_params(),
        training=training,
        license=license,
        **defaults | fields,
    )
