"""Convolution padded alike on both sides."""

import keras
from keras import ops

from zoo.layers import loop_conv


@keras.saving.register_keras_serializable("zoo")
class SymmetricConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with (kernel_size - 1) // 2 zeros on every side, at any stride.

    So do the published programs of the residual and plain nets. At stride 2, `padding="same"` of
    Keras pads one more pixel behind than in front instead, and gives other numbers. The output
    has ceil(H / strides) rows for an odd kernel.

    Args: as `keras.layers.Conv2D`, channels last, without `padding` and `data_format`.

    Call arguments:
        inputs: (N, H, W, C).

    Returns:
        (N, ceil(H / strides), ceil(W / strides), filters) for an odd kernel.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, data_format="channels_last", **kwargs)
        self._sides = [
            ((size - 1) * dilation // 2,) * 2
            for size, dilation in zip(self.kernel_size, self.dilation_rate, strict=True)
        ]
        # At stride 1 Keras pads an odd kernel in the same way, without a copy.
        odd = all(size % 2 for size in self.kernel_size)
        self._padded = any(side[0] for side in self._sides)
        if self._padded and odd and set(self.strides) == {1}:
            self.padding, self._padded = "same", False

    def convolution_op(self, inputs, kernel):
        if not self._padded and loop_conv.applies(self):
            return loop_conv.convolve(inputs, ops.cast(kernel, inputs.dtype))
        if self._padded:
            inputs = ops.pad(inputs, [(0, 0), *self._sides, (0, 0)])
        return super().convolution_op(inputs, kernel)

    def compute_output_shape(self, input_shape):
        n, *sides, channels = input_shape
        if self._padded:
            sides = [
                None if side is None else side + sum(pad)
                for side, pad in zip(sides, self._sides, strict=True)
            ]
        return super().compute_output_shape((n, *sides, channels))

    def get_config(self):
        config = super().get_config()
        for fixed in ("padding", "data_format"):
            config.pop(fixed)
        return config
