"""What the outputs of a model are."""

import keras


def output_activation(model: keras.Model) -> str:
    """Name of the activation of a model's last layer: "softmax" for class probabilities,
    "linear" for logits, "" where the layer has none.

    Args:
        model: keras.Model, built.
    """
    return getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
