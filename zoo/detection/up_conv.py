"""A transposed convolution without overlaps, as one matrix product."""

from typing import Any

import keras
from keras import layers, ops

from zoo.errors import ZooError
from zoo.types import Tensor

FIXED = {"strides", "data_format", "padding", "output_padding", "dilation_rate"}


@keras.saving.register_keras_serializable("zoo")
class UpConv2D(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` whose stride is its kernel size.

        y[n i + u, n j + v] = W[u, v] x[i, j] + b

    Every input makes an n x n block of outputs of its own. The same variables and numbers as
    Keras's layer, whose gradient XLA computes a hundred times more slowly on a CPU.

    Args:
        filters: int, of the output.
        size: int, n.
        **kwargs: arguments of `keras.layers.Conv2DTranspose`, without strides, padding, output
            padding, dilation and data format.

    Call arguments:
        inputs: tensor (B, H, W, C).

    Input shape:
        (B, H, W, C), channels last; H, W and C known.

    Output shape:
        (B, n H, n W, filters).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: an argument that is fixed here, such as `strides`.

    References:
        - He et al., "Mask R-CNN", figure 4, right.

    Example:

    >>> tuple(UpConv2D(8, 2)(np.ones((1, 14, 14, 3))).shape)
    (1, 28, 28, 8)
    """

    def __init__(self, filters: int, size: int, **kwargs: Any) -> None:
        if fixed := sorted(kwargs.keys() & FIXED):
            raise ZooError(
                f"UpConv2D: each input makes a block of size x size outputs, so {fixed[0]} cannot "
                f"be chosen. Received: {fixed[0]}={kwargs[fixed[0]]!r}"
            )
        super().__init__(filters, size, strides=size, data_format="channels_last", **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        _, height, width, channels = inputs.shape
        n, _ = self.kernel_size
        kernel = ops.reshape(ops.transpose(self.kernel, (3, 0, 1, 2)), (channels, -1))
        x = ops.matmul(inputs, kernel)
        x = ops.reshape(x, (-1, height, width, n, n, self.filters))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, n * height, n * width, self.filters))
        return self.activation(x + self.bias if self.use_bias else x)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        size = config.pop("kernel_size")[0]
        return {k: v for k, v in config.items() if k not in FIXED} | {"size": size}
