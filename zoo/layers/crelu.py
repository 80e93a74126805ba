"""Concatenated ReLU."""

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable("zoo")
class CReLU(keras.layers.Layer):
    """concat(relu(x), relu(-x)) over the channels, the last axis.

    Keeps the negative phase that ReLU drops: exactly one half of the outputs of non-zero inputs
    is active, and x can be had back. The number of channels doubles.

    Args:
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (…, C).

    Input shape:
        (…, C), C known.

    Output shape:
        (…, 2C).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: the size of the last axis is open.

    References:
        - Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
          Rectified Linear Units", definition 1.

    Example:

    >>> np.array(zoo.layers.CReLU()(np.array([[1.0, -2.0]]))).tolist()
    [[1.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] is None:
            raise ZooError(
                "CReLU doubles the last axis and has to know its size. "
                f"Received: input_shape={input_shape}"
            )
        return (*input_shape[:-1], 2 * input_shape[-1])

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """Two ReLUs, one of them of -x."""
        return crelu_form(x, name)


def crelu_form(x: Any, name: str) -> Any:
    """CReLU by Keras's layers."""
    negative = keras.layers.Rescaling(-1.0, name=f"{name}_minus")(x)
    halves = [
        keras.layers.ReLU(name=f"{name}_1")(x),
        keras.layers.ReLU(name=f"{name}_2")(negative),
    ]
    return keras.layers.Concatenate(name=name)(halves)
