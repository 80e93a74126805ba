"""Residual blocks in a row, as one layer."""

from collections.abc import Mapping
from typing import Any

import keras

from zoo import checks
from zoo.layers.keras_form import KerasForm
from zoo.layers.layer_factory import LayerFactory
from zoo.layers.repeat import repeat
from zoo.layers.residual_block import ResidualBlock, Shortcut
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class ResidualStage(keras.layers.Layer):
    """`blocks` residual blocks in a row, of which the first may change the shape.

    One layer, so that the graph of a network is as shallow at 1202 layers as at 20: Keras walks
    graphs recursively. The variables of block i are `block{i}/…`. Many blocks that are alike are
    traced and compiled as one, see `zoo.layers.repeat`.

    Args:
        filters: int, as for `zoo.layers.ResidualBlock`.
        blocks: int. Their number, at least 1.
        strides: int. Of the first block; the others have 1.
        bottleneck: bool, as for `zoo.layers.ResidualBlock`.
        order: str, as for `zoo.layers.ResidualBlock`.
        first: str or None. Order of the first block, None for that of the others.
        shortcut: str, as for `zoo.layers.ResidualBlock`.
        last_gamma: float, as for `zoo.layers.ResidualBlock`.
        factory: as for `zoo.layers.ResidualBlock`.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (N, H, W, C).
        training: bool. Whether the normalizations take the batch's statistics.

    Input shape:
        (N, H, W, C), C known.

    Output shape:
        (N, ceil(H / strides), ceil(W / strides), filters), of bottlenecks 4 * filters.

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: as the block, and for `blocks` below 1.

    References:
        - He et al., "Deep Residual Learning for Image Recognition", table 1.

    Example:

    >>> stage = zoo.layers.ResidualStage(16, blocks=3, strides=2, name="stage1")
    >>> tuple(stage(np.zeros((2, 8, 8, 8))).shape)
    (2, 4, 4, 16)
    >>> stage.weights[0].path
    'stage1/block1/conv1/kernel'
    """

    trainable: bool

    def __init__(
        self,
        filters: int,
        blocks: int,
        strides: int = 1,
        *,
        bottleneck: bool = False,
        order: str = "post",
        first: str | None = None,
        shortcut: Shortcut = "identity_pad",
        last_gamma: float = 1.0,
        factory: LayerFactory | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        factory = kwargs.pop("parts", factory)  # its name in older files
        super().__init__(**kwargs)
        blocks = checks.integer("blocks", blocks, least=1)
        self.first = first
        self.blocks = [
            ResidualBlock(
                filters,
                strides if i == 1 else 1,
                bottleneck=bottleneck,
                order=first or order if i == 1 else order,
                shortcut=shortcut,
                last_gamma=last_gamma,
                factory=factory,
                dtype=self.dtype_policy,
                name=f"block{i}",
            )
            for i in range(1, blocks + 1)
        ]

    def build(self, input_shape: Shape) -> None:
        for block in self.blocks:
            block.build(input_shape)
            input_shape = block.compute_output_shape(input_shape)
        if not self.trainable:
            self.trainable = False

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        first, *rest = self.blocks
        return repeat(rest, first(x, training=training), training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.blocks[0].compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
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
            "last_gamma": block.last_gamma,
            "factory": block.factory.get_config(),
        }

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """The blocks in a row."""
        return form.chain(self.blocks, x, name)
