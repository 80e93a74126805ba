"""How much the blocks of a network change what goes through them."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, identity


def block_change(before: Any, after: Any) -> float:
    """Mean over examples and positions of ||x_l - x_{l+1}||_2, the norm over the channels.

        Delta = 1 / (N w h) sum over n, i, j of ||x_l(n, i, j, :) - x_{l+1}(n, i, j, :)||_2

    Args:
        before: Array (N, …, channels).
        after: Array of the same shape.

    Returns:
        Float.

    Raises:
        ZooError: The shapes differ, are empty or have no channels.

    References:
        Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified
        Linear Units", section "Batch Normalization in ResNets" and figure 2.

    Example:

    >>> block_change([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 1.0]])
    2.5
    """
    before, after = np.asarray(before, "float64"), np.asarray(after, "float64")
    if before.shape != after.shape or before.ndim < 2 or before.size == 0:
        raise ZooError(
            "block_change needs two arrays of one shape (N, …, channels). "
            f"Received: shapes {before.shape} and {after.shape}"
        )
    return float(np.linalg.norm(after - before, axis=-1).mean())


def block_changes(
    model: keras.Model,
    inputs: Any,
    layers: Sequence[str | keras.Layer],
    *,
    training: bool = False,
) -> dict[str, float]:
    """`block_change` between the outputs of consecutive blocks of equal shape.

    The outputs of all blocks are held at once: take a small batch for many blocks.

    Args:
        model: Keras model, built.
        inputs: Array (N, …), or as many as the model takes.
        layers: List of names or layers whose outputs are the x_l, in any order: composite blocks,
            or what ends a block. The layer in front of the first block belongs to them.
        training: Boolean, whether batch normalization takes the batch's statistics.

    Returns:
        Name of the later block -> change, in the order of the forward pass. Blocks that change
        the shape are left out.

    Raises:
        ZooError: No two consecutive outputs have one shape; as `zoo.signals.Probe`.

    References:
        As `block_change`.

    Example:

    >>> x = inputs = keras.Input((2,))
    >>> for i in (1, 2, 3):
    ...     x = keras.layers.Rescaling(2.0, name=f"block{i}")(x)
    >>> blocks = ["block1", "block2", "block3"]
    >>> block_changes(keras.Model(inputs, x), np.array([[3.0, 4.0]]), blocks)
    {'block2': 10.0, 'block3': 20.0}
    """
    taps = {"x": Tap("output", identity)}
    outputs = Probe(model, taps, layers=layers, training=training)(inputs)["x"]
    changes = {
        high: block_change(outputs[low], outputs[high])
        for low, high in itertools.pairwise(outputs)
        if outputs[low].shape == outputs[high].shape
    }
    if not changes:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in outputs.items())
        raise ZooError(f"No two consecutive outputs have one shape. Received: {shapes}")
    return changes
