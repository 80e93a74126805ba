"""A transposed convolution without overlaps, as one matrix product."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class UpConv2D(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` whose stride is its kernel size.

        y[n i + u, n j + v] = W[u, v] x[i, j] + b

    Every input makes an n x n block of outputs of its own. The same variables and numbers as
    Keras's layer, whose gradient XLA computes a hundred times more slowly on a CPU.

    Args:
        filters: of the output.
        size: n.
        **kwargs: of `keras.layers.Conv2DTranspose`, without strides and padding.

    Call arguments:
        inputs: (B, H, W, C), channels last.

    Returns:
        (B, n H, n W, filters).

    Example:

    >>> UpConv2D(8, 2)(np.ones((1, 14, 14, 3))).shape
    (1, 28, 28, 8)
    """

    def __init__(self, filters: int, size: int, **kwargs):
        super().__init__(filters, size, strides=size, data_format="channels_last", **kwargs)

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        n, _ = self.kernel_size
        kernel = ops.reshape(ops.transpose(self.kernel, (3, 0, 1, 2)), (channels, -1))
        x = ops.matmul(inputs, kernel)
        x = ops.reshape(x, (-1, height, width, n, n, self.filters))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, n * height, n * width, self.filters))
        return self.activation(x + self.bias if self.use_bias else x)

    def get_config(self):
        config = super().get_config()
        size = config.pop("kernel_size")[0]
        for name in ("strides", "data_format", "padding", "output_padding", "dilation_rate"):
            config.pop(name, None)
        return config | {"size": size}
