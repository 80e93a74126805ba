"""Names of classes."""

from typing import Any


def labels_or_numbers(model: Any, count: int) -> tuple[str, ...]:
    """The labels on a model's card, or "class 0", … where it has none for `count` classes.

    Args:
        model: keras.Model, of `zoo.load` or without a card.
        count: int, classes of the model.
    """
    labels = getattr(getattr(model, "zoo_card", None), "labels", None) or ()
    return labels if len(labels) == count else tuple(f"class {i}" for i in range(count))
