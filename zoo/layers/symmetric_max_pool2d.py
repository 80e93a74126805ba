"""Max pooling padded alike on both sides."""

from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm, every_pixel
from zoo.layers.padding import refuse_padding
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class SymmetricMaxPool2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` with (pool_size - 1) // 2 values of minus infinity on each side.

    So do the published programs (3x3, stride 2). `padding="same"` of Keras pads an image of even
    size behind only; zeros instead of minus infinity are wrong where values may be negative.

    Args:
        pool_size: int, odd.
        strides: int.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor (N, H, W, C).

    Input shape:
        (N, H, W, C).

    Output shape:
        (N, ceil(H / strides), ceil(W / strides), C).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for a `pool_size` that is no odd int, `strides` that are no int, `padding` and
            `data_format`.

    References:
        - He et al., "Deep Residual Learning for Image Recognition", whose published program pads
          so.

    Example:

    >>> image = -np.arange(1.0, 17.0).reshape(1, 4, 4, 1)
    >>> y = np.array(zoo.layers.SymmetricMaxPool2D(3, 2)(image))
    >>> y[0, :, :, 0].tolist()
    [[-1.0, -2.0], [-5.0, -6.0]]
    """

    def __init__(self, pool_size: int = 3, strides: int = 2, **kwargs: Any) -> None:
        refuse_padding(type(self).__name__, "MaxPooling2D", kwargs)
        size = checks.integer("pool_size", pool_size, least=1)
        if size % 2 == 0:
            raise ZooError(f"pool_size must be an odd int. Received: pool_size={pool_size!r}")
        strides = checks.integer("strides", strides, least=1)
        super().__init__(size, strides, "valid", "channels_last", **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        side = (self.pool_size[0] - 1) // 2
        sides = [(0, 0), (side, side), (side, side), (0, 0)]
        return super().call(ops.pad(inputs, sides, constant_values=float("-inf")))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        n, *sides, channels = input_shape
        return (n, *(None if s is None else -(-s // self.strides[0]) for s in sides), channels)

    def get_config(self) -> dict[str, Any]:
        config = keras.layers.Layer.get_config(self)
        return {**config, "pool_size": self.pool_size[0], "strides": self.strides[0]}

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """At stride 1 Keras pads both sides alike: of that, every second row and column."""
        x = keras.layers.MaxPooling2D(self.pool_size, 1, "same", "channels_last", name=name)(x)
        return every_pixel(x, self.strides[0], f"{name}_stride")
