"""Normalization propagation: the filters are normalized in place of the activations."""

import math

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.crelu import CReLU
from zoo.layers.symmetric_conv2d import SymmetricConv2D

# Mean and standard deviation of ReLU(x) for x ~ N(0, 1).
_MEAN = 1 / math.sqrt(2 * math.pi)
_DEVIATION = math.sqrt(1 / 2 - 1 / (2 * math.pi))

# Square of a norm below which a filter counts as zero, far from float32's denormal numbers.
_TINY = 1e-30


@keras.saving.register_keras_serializable("zoo")
class NormPropConv2D(SymmetricConv2D):
    """Convolution with filters of norm 1: y = gamma * (W x) / ||W||_2 + beta.

    The norm is one per filter, over height, width and input channels, so that y does not depend
    on the filters' scale and an input of mean 0 and variance 1 gives such an output. W is the
    weight `kernel`, beta `bias`, gamma `gamma`: paths are those of a convolution and one more. A
    filter of zeros gives beta, and a finite gradient (its norm counts as 1). Filters are
    normalized in float32 under any dtype policy.

    Source: Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
    Rectified Linear Units", section "Normalization Propagation in ResNets". gamma starts from 1,
    where the formula keeps the variance; the paper reports 1/1.21 as the original proposal's
    initial value, and fixes gamma there in its version 3.

    Args:
        filters, kernel_size, strides, use_bias, kernel_…: as `SymmetricConv2D`.
        scale: "trainable" for a weight gamma per filter (versions 1 and 2), or the one number
            above 0 that gamma is fixed at (version 3: 1/1.21).

    Call arguments:
        inputs: (N, H, W, C), normalized.

    Returns:
        (N, ceil(H / strides), ceil(W / strides), filters) for an odd kernel.

    Raises:
        ValueError: for another `scale`.
    """

    def __init__(self, filters, kernel_size, strides=1, scale="trainable", **kwargs):
        super().__init__(filters, kernel_size, strides=strides, **kwargs)
        number = isinstance(scale, int | float) and not isinstance(scale, bool)
        if scale != "trainable" and not (number and 0 < scale < math.inf):
            raise ZooError(f"scale must be 'trainable' or a number above 0. Received: {scale!r}")
        self.scale = scale

    def build(self, input_shape):
        super().build(input_shape)
        self.gamma = None
        if self.scale == "trainable":
            self.gamma = self.add_weight(
                name="gamma", shape=(self.filters,), initializer="ones", autocast=False
            )

    def add_weight(self, *args, name=None, **kwargs):
        # Rounded to half precision, small filters would have no norm.
        if name == "kernel":
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, ops.cast(self.scaled(kernel), inputs.dtype))

    def scaled(self, kernel):
        """gamma * W / ||W||_2: scaling the filters is scaling the output, only cheaper."""
        kernel = ops.convert_to_tensor(kernel)
        square = ops.sum(ops.square(kernel), axis=(0, 1, 2))
        norm = ops.sqrt(ops.where(square > _TINY, square, 1.0))
        gamma = self.scale if self.gamma is None else ops.convert_to_tensor(self.gamma)
        return kernel * (gamma / norm)

    # Keras's convolutions store nothing but kernel and bias.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable("zoo")
class NormPropActivation(keras.layers.Layer):
    """(ReLU(x) - 1 / sqrt(2 pi)) / sqrt(1/2 - 1 / (2 pi)): x ~ N(0, 1) to mean 0, variance 1.

    The nonlinearity of NormProp's version 1, behind `NormPropConv2D`; versions 2 and 3 have a
    plain ReLU or CReLU there. Both halves of CReLU have the moments of ReLU, and so the constants.

    Source: Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
    Rectified Linear Units", section "Normalization Propagation in ResNets".

    Args:
        nonlinearity: "relu" or "crelu".

    Call arguments:
        x: tensor (…, C).

    Returns:
        Tensor (…, C), with CReLU (…, 2C).

    Raises:
        ValueError: for another nonlinearity, whose constants would be others.
    """

    def __init__(self, nonlinearity="relu", **kwargs):
        super().__init__(**kwargs)
        if nonlinearity not in ("relu", "crelu"):
            raise ZooError(
                "nonlinearity must be 'relu' or 'crelu': NormProp's constants are those of ReLU. "
                f"Received: nonlinearity={nonlinearity!r}"
            )
        self.nonlinearity = nonlinearity
        self.supports_masking = True

    def call(self, x):
        if self.nonlinearity == "crelu":
            x = ops.concatenate([x, -x], axis=-1)
        return (ops.relu(x) - _MEAN) / _DEVIATION

    def compute_output_shape(self, input_shape):
        if self.nonlinearity == "crelu":
            return CReLU().compute_output_shape(input_shape)
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "nonlinearity": self.nonlinearity}
