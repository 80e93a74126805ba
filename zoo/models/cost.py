"""What one image costs in a network, from the shapes that its layers were built with."""

import math

import keras

from zoo.errors import ZooError


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of all convolutions and dense layers for one input.

    A FLOP count of the literature is this or twice this; normalizations, nonlinearities and
    poolings are left out in both. Nothing is run: a model without values will do.

    Args:
        model: keras.Model, built for a fixed input size.

    Returns:
        int.

    Raises:
        ZooError: the input size is open.

    Example:

    >>> multiply_adds(zoo.create("maxnorm_mlp3", units=10)) == 256 * 10 + 2 * 10 * 10 + 10 * 10
    True
    """
    if hasattr(model, "multiply_adds_of_parts"):  # whose parts run several times, as detectors'
        return sum(model.multiply_adds_of_parts().values())
    return sum(_multiply_adds(layer) for layer in model._flatten_layers())


def weight_layers(model: keras.Model) -> int:
    """Number of convolutions and dense layers in a row.

    Those of shortcuts are left out, and a kernel that is used twice (`zoo.layers.SeqConvPair2D`)
    counts twice.

    Args:
        model: keras.Model.

    Returns:
        int.

    Example:

    >>> weight_layers(zoo.create("resnet20", width=2))
    20
    """
    return sum(
        _has_kernel(layer) and not layer.name.endswith(("shortcut_conv", "skip_conv"))
        for layer in model._flatten_layers()
    ) + sum(getattr(layer, "tied", False) for layer in model._flatten_layers())


def _has_kernel(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)


def _multiply_adds(layer: keras.Layer) -> int:
    if hasattr(layer, "own_multiply_adds"):  # beside those of its sublayers, which follow
        return layer.own_multiply_adds()
    if isinstance(layer, keras.layers.Conv2DTranspose):  # every input meets the whole kernel
        return math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:-1])
    if not _has_kernel(layer):
        return 0
    output = layer.compute_output_shape(layer.get_build_config()["input_shape"])
    positions = output[1:-1]
    if None in positions:
        raise ZooError(
            "The cost depends on the input size: build the model with a fixed one. "
            f"Received: {layer.name} with outputs of shape {tuple(output)}"
        )
    return math.prod(layer.kernel.shape) * math.prod(positions)
