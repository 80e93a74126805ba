"""Normalization propagation: the filters are normalized in place of the activations."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.crelu import CReLU, crelu_form
from zoo.layers.keras_form import KerasForm, to_numpy
from zoo.layers.symmetric_conv2d import SymmetricConv2D
from zoo.types import Shape, Tensor

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

    gamma starts from 1/1.21, the original proposal's value, as the paper reports, which fixes it
    there in its version 3. From 1 the formula keeps the variance, and that of a deep residual net
    grows from block to block.

    Args:
        filters: int. Output channels.
        kernel_size: int or pair of ints.
        strides: int or pair of ints.
        scale: "trainable" for a weight gamma per filter (versions 1 and 2), or float above 0, the
            one number that gamma is fixed at (version 3: 1/1.21).
        initial_scale: float above 0. Where a trainable gamma starts.
        gamma_regularizer: `keras.regularizers.Regularizer` or None, of a trainable gamma.
        **kwargs: other arguments of `zoo.layers.SymmetricConv2D`.

    Call arguments:
        inputs: tensor (N, H, W, C), normalized.

    Input shape:
        (N, H, W, C), C known.

    Output shape:
        (N, ceil(H / strides), ceil(W / strides), filters) for an odd kernel.

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for another `scale`, and as `zoo.layers.SymmetricConv2D`.

    References:
        - Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
          Rectified Linear Units", section "Normalization Propagation in ResNets".

    Example:

    >>> conv = zoo.layers.NormPropConv2D(2, 1, use_bias=False, initial_scale=1.0)
    >>> conv.build((None, 4, 4, 2))
    >>> _ = conv.kernel.assign([[[[3.0, 1.0], [4.0, 0.0]]]])  # filters (3, 4) and (1, 0)
    >>> print(np.round(conv(np.ones((1, 1, 1, 2))), 3))
    [[[[1.4 1. ]]]]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        scale: str | float = "trainable",
        initial_scale: float = 1 / 1.21,
        gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides=strides, **kwargs)
        self.scale: str | float = "trainable"
        if not isinstance(scale, str) or scale != "trainable":
            allowed = "'trainable' or a number above 0"
            self.scale = checks.number("scale", scale, allowed, lambda x: x > 0)
        self.initial_scale = checks.number(
            "initial_scale", initial_scale, "a number above 0", lambda x: x > 0
        )
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.gamma = None
        if self.scale == "trainable":
            self.gamma = self.add_weight(
                name="gamma",
                shape=(self.filters,),
                initializer=keras.initializers.Constant(self.initial_scale),
                regularizer=self.gamma_regularizer,
                autocast=False,
            )

    def add_weight(self, *args: Any, name: str | None = None, **kwargs: Any) -> keras.Variable:
        # Rounded to half precision, small filters would have no norm.
        if name == "kernel":
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return super().convolution_op(inputs, ops.cast(self.scaled(kernel), inputs.dtype))

    def scaled(self, kernel: Tensor) -> Tensor:
        """gamma * W / ||W||_2: scaling the filters is scaling the output, only cheaper.

        Args:
            kernel: tensor (height, width, in, filters).

        Returns:
            Tensor of the same shape.
        """
        kernel = ops.convert_to_tensor(kernel)
        square = ops.sum(ops.square(kernel), axis=(0, 1, 2))
        norm = ops.sqrt(ops.where(square > _TINY, square, 1.0))
        gamma = self.scale if self.gamma is None else ops.convert_to_tensor(self.gamma)
        return kernel * (gamma / norm)

    # Keras's convolutions store nothing but kernel and bias.
    def save_own_variables(self, store: Any) -> None:
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "initial_scale": self.initial_scale,
            "gamma_regularizer": keras.regularizers.serialize(self.gamma_regularizer),
        }

    def keras_form(self, form: KerasForm, x: Any, name: str, **changes: Any) -> Any:
        """A convolution whose filters are stored normalized."""
        weights = [to_numpy(self.scaled(self.kernel))]
        if self.use_bias:
            weights.append(to_numpy(self.bias))
        return super().keras_form(
            form,
            x,
            name,
            weights=weights,
            without=("scale", "initial_scale", "gamma_regularizer"),
            **changes,
        )


@keras.saving.register_keras_serializable("zoo")
class NormPropActivation(keras.layers.Layer):
    """(ReLU(x) - 1 / sqrt(2 pi)) / sqrt(1/2 - 1 / (2 pi)): x ~ N(0, 1) to mean 0, variance 1.

    The nonlinearity of NormProp's version 1, behind `NormPropConv2D`; versions 2 and 3 have a
    plain ReLU or CReLU there. Both halves of CReLU have the moments of ReLU, and so the constants.

    Args:
        nonlinearity: str, "relu" or "crelu".
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (…, C).

    Input shape:
        (…, C); with CReLU, C known.

    Output shape:
        (…, C), with CReLU (…, 2C).

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for another nonlinearity, whose constants would be others.

    References:
        - Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
          Rectified Linear Units", section "Normalization Propagation in ResNets".

    Example:

    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> y = np.array(zoo.layers.NormPropActivation()(x))
    >>> print(f"{abs(y.mean()):.2f} {y.std():.2f}")
    0.00 1.00
    """

    def __init__(self, nonlinearity: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if nonlinearity not in ("relu", "crelu"):
            raise ZooError(
                "nonlinearity must be 'relu' or 'crelu': NormProp's constants are those of ReLU. "
                f"Received: nonlinearity={nonlinearity!r}"
            )
        self.nonlinearity = str(nonlinearity)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        if self.nonlinearity == "crelu":
            x = ops.concatenate([x, -x], axis=-1)
        return (ops.relu(x) - _MEAN) / _DEVIATION

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.nonlinearity == "crelu":
            return CReLU().compute_output_shape(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nonlinearity": self.nonlinearity}

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """The nonlinearity and a rescaling."""
        if self.nonlinearity == "crelu":
            x = crelu_form(x, f"{name}_crelu")
        else:
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
        return keras.layers.Rescaling(1 / _DEVIATION, -_MEAN / _DEVIATION, name=name)(x)
