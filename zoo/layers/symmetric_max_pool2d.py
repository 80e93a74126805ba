"""Max pooling padded alike on both sides."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class SymmetricMaxPool2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` with (pool_size - 1) // 2 values of minus infinity on each side.

    So do the published programs (3x3, stride 2). `padding="same"` of Keras pads an image of even
    size behind only; zeros instead of minus infinity are wrong where values may be negative.

    Args:
        pool_size: odd int.
        strides: int.

    Call arguments:
        inputs: (N, H, W, C).

    Returns:
        (N, ceil(H / strides), ceil(W / strides), C).

    Raises:
        ValueError: if `pool_size` is no odd number.
    """

    def __init__(self, pool_size: int = 3, strides: int = 2, **kwargs):
        if not isinstance(pool_size, int) or pool_size % 2 == 0:
            raise ValueError(f"pool_size must be an odd int. Received: pool_size={pool_size!r}")
        super().__init__(pool_size, strides, "valid", "channels_last", **kwargs)

    def call(self, inputs):
        side = (self.pool_size[0] - 1) // 2
        sides = [(0, 0), (side, side), (side, side), (0, 0)]
        return super().call(ops.pad(inputs, sides, constant_values=float("-inf")))

    def compute_output_shape(self, input_shape):
        n, *sides, channels = input_shape
        return (n, *(None if s is None else -(-s // self.strides[0]) for s in sides), channels)

    def get_config(self):
        config = keras.layers.Layer.get_config(self)
        return {**config, "pool_size": self.pool_size[0], "strides": self.strides[0]}
