"""What the outputs of a model are."""

import keras


def last_layer(model: keras.Model) -> keras.Layer:
    """The last layer of a model, and of the model in it that comes last.

    Args:
        model: keras.Model, built.

    Returns:
        keras.Layer.
    """
    last = model.layers[-1]
    return last_layer(last) if isinstance(last, keras.Model) and last.layers else last


def output_activation(model: keras.Model) -> str:
    """Name of the activation of a model's last layer.

    Args:
        model: keras.Model, built.

    Returns:
        "softmax" for class probabilities, "linear" for logits, "" where the layer has none.
    """
    last = last_layer(model)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", "")
