"""Residual blocks in a row, as one layer."""

from collections.abc import Mapping
from typing import Any

import keras

from zoo.errors import ZooError
from zoo.layers.layer_factory import LayerFactory
from zoo.layers.repeat import repeat
from zoo.layers.residual_block import ResidualBlock


@keras.saving.register_keras_serializable("zoo")
class ResidualStage(keras.layers.Layer):
    """`blocks` residual blocks in a row, of which the first may change the shape.

    One layer, so that the graph of a network is as shallow at 1202 layers as at 20: Keras walks
    graphs recursively. The variables of block i are `block{i}/…`. Many blocks that are alike are
    traced and compiled as one, see `zoo.layers.repeat`.

    Args:
        filters, strides, bottleneck, order, shortcut, factory: of the blocks, see
            `zoo.layers.ResidualBlock`.
        blocks: their number, at least 1.
        first: order of the first block, None for that of the others. Only the first block has
            the strides.

    Call arguments:
        x: (N, H, W, C).

    Returns:
        As the block.

    Raises:
        ValueError: as the block, and for `blocks` below 1.
    """

    def __init__(
        self,
        filters: int,
        blocks: int,
        strides: int = 1,
        *,
        bottleneck: bool = False,
        order: str = "post",
        first: str | None = None,
        shortcut: str = "identity_pad",
        factory: LayerFactory | Mapping[str, Any] | None = None,
        **kwargs,
    ):
        factory = kwargs.pop("parts", factory)  # its name in older files
        super().__init__(**kwargs)
        if blocks < 1:
            raise ZooError(f"blocks must be at least 1. Received: blocks={blocks}")
        self.first = first
        self.blocks = [
            ResidualBlock(
                filters,
                strides if i == 1 else 1,
                bottleneck=bottleneck,
                order=first or order if i == 1 else order,
                shortcut=shortcut,
                factory=factory,
                dtype=self.dtype_policy,
                name=f"block{i}",
            )
            for i in range(1, blocks + 1)
        ]

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
            input_shape = block.compute_output_shape(input_shape)
        if not self.trainable:
            self.trainable = False

    def call(self, x, training=None):
        first, *rest = self.blocks
        return repeat(rest, first(x, training=training), training)

    def compute_output_shape(self, input_shape):
        return self.blocks[0].compute_output_shape(input_shape)

    def get_config(self):
        block = self.blocks[0]
        return {
            **super().get_config(),
            "filters": block.filters,
            "blocks": len(self.blocks),
            "strides": block.strides,
            "bottleneck": block.bottleneck,
            "order": self.blocks[-1].order,
            "first": self.first,
            "shortcut": block.shortcut,
            "factory": block.factory.get_config(),
        }
