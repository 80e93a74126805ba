"""Convolution padded alike on both sides."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.layers import loop_conv
from zoo.layers.keras_form import KerasForm
from zoo.layers.padding import refuse_padding
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class SymmetricConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with (kernel_size - 1) // 2 zeros on every side, at any stride.

    So do the published programs of the residual and plain nets. At stride 2, `padding="same"` of
    Keras pads one more pixel behind than in front instead, and gives other numbers.

    Args:
        filters: int. Output channels.
        kernel_size: int or pair of ints.
        strides: int or pair of ints.
        dilation_rate: int or pair of ints.
        **kwargs: other arguments of `keras.layers.Conv2D`, but for `padding` and `data_format`:
            the layer is channels last.

    Call arguments:
        inputs: tensor (N, H, W, C).

    Input shape:
        (N, H, W, C), C known.

    Output shape:
        (N, ceil(H / strides), ceil(W / strides), filters) for an odd kernel.

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for `padding` or `data_format`, and for sizes that are no positive integers.

    References:
        - He et al., "Deep Residual Learning for Image Recognition", whose published program pads
          so.

    Example:

    >>> conv = zoo.layers.SymmetricConv2D(8, 3, strides=2)
    >>> tuple(conv(np.zeros((1, 32, 31, 3))).shape)
    (1, 16, 16, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        *,
        dilation_rate: int | Sequence[int] = 1,
        **kwargs: Any,
    ) -> None:
        refuse_padding(type(self).__name__, "Conv2D", kwargs)
        super().__init__(
            checks.integer("filters", filters, least=1),
            checks.integers("kernel_size", kernel_size, least=1),
            strides=checks.integers("strides", strides, least=1),
            dilation_rate=checks.integers("dilation_rate", dilation_rate, least=1),
            data_format="channels_last",
            **kwargs,
        )
        self._sides = [
            ((size - 1) * dilation // 2,) * 2
            for size, dilation in zip(self.kernel_size, self.dilation_rate, strict=True)
        ]
        # At stride 1 Keras pads an odd kernel in the same way, without a copy.
        odd = all(size % 2 for size in self.kernel_size)
        self._padded = any(side[0] for side in self._sides)
        if self._padded and odd and set(self.strides) == {1}:
            self.padding, self._padded = "same", False

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        if not self._padded and loop_conv.applies(self):
            return loop_conv.convolve(inputs, ops.cast(kernel, inputs.dtype))
        if self._padded:
            inputs = ops.pad(inputs, [(0, 0), *self._sides, (0, 0)])
        pointwise = set(self.kernel_size) == {1} and set(self.strides) != {1}
        if pointwise and keras.backend.backend() == "torch":
            # The same numbers. PyTorch 2.13's own stride gives wrong gradients of such kernels on
            # CPUs without AVX-512 (oneDNN, channels last).
            inputs = inputs[:, :: self.strides[0], :: self.strides[1]]
            return ops.conv(inputs, kernel, padding="valid", data_format=self.data_format)
        return super().convolution_op(inputs, kernel)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        n, *sides, channels = input_shape
        if self._padded:
            sides = [
                None if side is None else side + sum(pad)
                for side, pad in zip(sides, self._sides, strict=True)
            ]
        return super().compute_output_shape((n, *sides, channels))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("padding", "data_format"):
            config.pop(fixed)
        return config

    def keras_form(self, form: KerasForm, x: Any, name: str, **changes: Any) -> Any:
        """A padding, where Keras's own is another, and Keras's convolution."""
        if self._padded:
            x = keras.layers.ZeroPadding2D(
                self._sides, data_format="channels_last", name=f"{name}_pad"
            )(x)
        changes = {"padding": self.padding, "data_format": "channels_last", **changes}
        return form.copy(keras.layers.Conv2D, self, x, name, **changes)
