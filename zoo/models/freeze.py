"""What of a network is held fixed while it is fine-tuned."""

from collections.abc import Collection

import keras

from zoo.errors import ZooError

FREEZE = ("body", "batch_norm", None)


def freeze(
    model: keras.Model, what: str | None, head: Collection[str] | None = None
) -> keras.Model:
    """Freezes a part of a model, in place, before `compile`.

    A frozen BatchNormalization normalizes by its moving statistics and leaves them as they are,
    bit for bit, whatever it is trained on.

    Args:
        model: keras.Model, any of the zoo.
        what: str or None. "body" for every layer but the head; "batch_norm" for the
            BatchNormalization layers, whose statistics small batches of new data would spoil;
            None for nothing.
        head: collection of str, names of the layers that "body" leaves free. None for the
            classifier; of a detector, for all that stands on its backbone.

    Returns:
        The model.

    Raises:
        ZooError: for any other `what`.

    Example:

    >>> model = zoo.models.freeze(zoo.load("maxnorm_mlp100", num_classes=5), "body")
    >>> [variable.path for variable in model.trainable_variables]
    ['head_dense/kernel', 'head_dense/bias']
    """
    check_freeze(what)
    if what == "body":
        if head is None and hasattr(model, "backbone"):  # a detector, whose body is a part
            _freeze_layers(model.backbone, ())
        else:
            _freeze_layers(model, ("head_dense",) if head is None else head)
    if what == "batch_norm":
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def _freeze_layers(model: keras.Model, free: Collection[str]) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.Model):  # a part of a detector
            _freeze_layers(layer, free)
        else:
            layer.trainable = layer.name in free


def check_freeze(what: str | None) -> None:
    """Refuses what `freeze` does not know."""
    if what not in FREEZE:
        raise ZooError(
            f"freeze must be one of {', '.join(map(repr, FREEZE))}. Received: freeze={what!r}"
        )
