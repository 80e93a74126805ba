"""Convolutions inside a loop, with gradients that XLA's CPU compiler knows.

XLA brings the convolutions of a gradient into the form that its fast CPU kernels take, but not
those in the body of a loop, which then run 10 to 30 times slower. Here the gradient is written in
that form: (N, H, W, C) by (H, W, in, out).
"""

import contextlib
from collections.abc import Callable, Iterator

import keras
from keras import ops

from zoo.types import Tensor

_active = False


@contextlib.contextmanager
def active() -> Iterator[None]:
    """Within it, `convolve` is to be used where `applies`."""
    global _active
    previous, _active = _active, True
    try:
        yield
    finally:
        _active = previous


def applies(layer: keras.layers.Conv2D) -> bool:
    """Whether `convolve` should now do the work of `layer`, which pads both sides alike."""
    even = any(size % 2 == 0 for size in layer.kernel_size)
    if not _active or even or {*layer.strides, *layer.dilation_rate, layer.groups} != {1}:
        return False
    return keras.distribution.list_devices()[0].startswith("cpu")


@ops.custom_gradient
def convolve(x: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[..., tuple[Tensor, Tensor]]]:
    """x (N, H, W, C) by a kernel (h, w, C, F) of odd sizes, to (N, H, W, F)."""

    def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
        dy = args[0] if upstream is None else upstream
        turned = ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2))
        # The images are the channels of this one, the errors its kernel.
        sides = [((size - 1) // 2,) * 2 for size in kernel.shape[:2]]
        images = ops.transpose(ops.pad(x, [(0, 0), *sides, (0, 0)]), (3, 1, 2, 0))
        dkernel = _conv(images, ops.transpose(dy, (1, 2, 0, 3)), "valid")
        return _conv(dy, turned, "same"), ops.transpose(dkernel, (1, 2, 0, 3))

    return _conv(x, kernel, "same"), gradient


def _conv(x: Tensor, kernel: Tensor, padding: str) -> Tensor:
    return ops.conv(x, kernel, padding=padding, data_format="channels_last")
