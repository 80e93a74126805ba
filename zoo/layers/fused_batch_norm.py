"""Batch normalization through the backends' own fused kernels: the one place that calls them.

`normalize(x, gamma, beta, mean, variance, epsilon)` and
`normalize_batch(x, gamma, beta, epsilon) -> (y, mean, variance)` take an x of shape (..., C) and
vectors of C float32 entries. The variance is the biased one (divided by n), as Keras counts it.
Both are None on a backend without such a kernel (JAX: XLA fuses the plain formula).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from zoo.types import Tensor

_Kernel: TypeAlias = Callable[..., Any]

# What the kernels take; anything else goes through Keras's formula.
DTYPES = ("float32", "bfloat16", "float16")


def _tensorflow() -> tuple[_Kernel, _Kernel]:
    import tensorflow as tf

    def run(
        x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float, **kwargs: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        # The kernel wants four dimensions.
        shape = tf.shape(x)
        channels = x.shape[-1]
        flat = x if x.shape.rank == 4 else tf.reshape(x, (-1, 1, 1, channels))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            flat, gamma, beta, epsilon=epsilon, **kwargs
        )
        if x.shape.rank != 4:
            y = tf.ensure_shape(tf.reshape(y, shape), x.shape)
        return y, mean, variance

    def normalize(
        x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> Tensor:
        return run(x, gamma, beta, epsilon, mean=mean, variance=variance, is_training=False)[0]

    def normalize_batch(
        x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance = run(x, gamma, beta, epsilon, is_training=True)
        # The kernel reports n / (n - 1) times the variance it normalizes with.
        n = tf.cast(tf.size(x) // x.shape[-1], "float32")
        return y, mean, variance * (tf.maximum(n - 1.0, 1.0) / n)

    return normalize, normalize_batch


def _torch() -> tuple[_Kernel, _Kernel]:
    import torch

    def run(
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mean: Tensor,
        variance: Tensor,
        training: bool,
        momentum: float,
        epsilon: float,
    ) -> Tensor:
        # Channels second is a view; the memory stays channels last and so does the kernel. The axis
        # is counted from the front: PyTorch writes others into ONNX files as they are.
        last = x.ndim - 1
        y = torch.batch_norm(
            x.movedim(last, 1), gamma, beta, mean, variance, training, momentum, epsilon, True
        )
        return y.movedim(1, last)

    def normalize(
        x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> Tensor:
        return run(x, gamma, beta, mean, variance, False, 0.0, epsilon)

    def normalize_batch(
        x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        # With momentum 1 the kernel leaves the batch's own statistics in the buffers.
        mean, variance = torch.zeros_like(gamma.detach()), torch.ones_like(gamma.detach())
        n = x.numel() // x.shape[-1]
        y = run(x, gamma, beta, mean, variance, True, 1.0, epsilon)
        # n = 1 has no unbiased variance; the biased one is 0.
        return y, mean, variance * ((n - 1) / n) if n > 1 else torch.zeros_like(variance)

    return normalize, normalize_batch


_KERNELS = {"tensorflow": _tensorflow, "torch": _torch}.get(keras.backend.backend())
normalize: _Kernel | None
normalize_batch: _Kernel | None
normalize, normalize_batch = _KERNELS() if _KERNELS else (None, None)
