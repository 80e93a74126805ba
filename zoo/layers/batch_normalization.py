"""BatchNormalization on the backends' fused kernels."""

from typing import Any

import keras
from keras import ops

from zoo.layers import fused_batch_norm
from zoo.layers.keras_form import KerasForm
from zoo.types import Tensor

# The constants of every network of the zoo.
BATCH_NORM: dict[str, Any] = {"momentum": 0.9, "epsilon": 1e-5}


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, computed by the backend's fused kernel.

    Same arguments, variables, names and numbers (to rounding) as Keras's layer, which computes
    moments and normalization in separate passes over the activations. Nets that are half batch
    normalization train 1.3 to 1.8 times as fast this way on a CPU
    (`python -m benchmarks.training_step`). Statistics are kept and computed in float32 under any
    dtype policy.

    Keras's own formula is used where a fused kernel would be wrong or does not exist: on JAX,
    with `synchronized=True`, `renorm=True`, a mask, an `axis` other than the last, or float64.

    Args:
        **kwargs: arguments of `keras.layers.BatchNormalization`, with its defaults. The zoo's
            models use `momentum=0.9` and `epsilon=1e-5`, and record both on every card.

    Call arguments:
        inputs: tensor (…, C).
        training: bool. Whether to normalize by the batch's statistics, and to move the layer's.
        mask: tensor or None. Positions that count.

    Input shape:
        (…, C), C known.

    Output shape:
        As the input.

    Returns:
        Tensor of the input's shape and dtype.

    Raises:
        ValueError: as `keras.layers.BatchNormalization`.

    References:
        - Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
          Internal Covariate Shift", algorithm 1.

    Example:

    >>> norm = zoo.layers.BatchNormalization(epsilon=0.0)
    >>> y = norm(np.array([[1.0, 10.0], [3.0, 30.0]]), training=True)
    >>> np.round(y, 3).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        normalize, normalize_batch = fused_batch_norm.normalize, fused_batch_norm.normalize_batch
        if not (normalize and normalize_batch and self._can_fuse(inputs, mask)):
            return super().call(inputs, training=training, mask=mask)
        size = inputs.shape[-1]
        gamma = ops.convert_to_tensor(self.gamma) if self.scale else ops.ones((size,), "float32")
        beta = ops.convert_to_tensor(self.beta) if self.center else ops.zeros((size,), "float32")
        mean = ops.convert_to_tensor(self.moving_mean)
        variance = ops.convert_to_tensor(self.moving_variance)
        if not (training and self.trainable):
            return normalize(inputs, gamma, beta, mean, variance, self.epsilon)
        outputs, batch_mean, batch_variance = normalize_batch(inputs, gamma, beta, self.epsilon)
        self.moving_mean.assign(mean * self.momentum + batch_mean * (1.0 - self.momentum))
        self.moving_variance.assign(
            variance * self.momentum + batch_variance * (1.0 - self.momentum)
        )
        return outputs

    def _can_fuse(self, inputs: Tensor, mask: Tensor | None) -> bool:
        rank = len(inputs.shape)
        return (
            mask is None
            and not self.synchronized
            and not self.renorm
            and rank >= 2
            and self.axis in (-1, rank - 1)
            and self.variable_dtype == "float32"
            and keras.backend.standardize_dtype(inputs.dtype) in fused_batch_norm.DTYPES
            and keras.backend.standardize_dtype(inputs.dtype) == self.compute_dtype
        )

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """Keras's layer of the same constants."""
        return form.copy(keras.layers.BatchNormalization, self, x, name)
