"""Concatenated ReLU."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class CReLU(keras.layers.Layer):
    """concat(relu(x), relu(-x)) over the channels, the last axis.

    Keeps the negative phase that ReLU drops: exactly one half of the outputs of non-zero inputs
    is active, and x can be had back. The number of channels doubles.

    Source: Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
    Rectified Linear Units", definition 1.

    Call arguments:
        x: tensor (…, C) with known C.

    Returns:
        Tensor (…, 2C).

    Example:

    >>> zoo.layers.CReLU()(np.array([[1.0, -2.0]]))  # [[1, 0, 0, 2]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x):
        return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1)

    def compute_output_shape(self, input_shape):
        if not input_shape or input_shape[-1] is None:
            raise ValueError(
                "CReLU doubles the last axis and has to know its size. "
                f"Received: input_shape={input_shape}"
            )
        return (*input_shape[:-1], 2 * input_shape[-1])
