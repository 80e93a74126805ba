"""What the dense and the convolutional pair of SeqNets share."""

import math
import random
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.initializers import SeqContract, SeqExpand
from zoo.layers.batch_normalization import BATCH_NORM, BatchNormalization
from zoo.layers.keras_form import KerasForm, to_numpy
from zoo.regularizers import ScaledOrthogonalRegularizer, Sum
from zoo.types import Shape, Tensor

# Which kernels the orthogonal regularizer acts on.
ORTHOGONAL_ON = ("pointwise", "pairs")
# Which weights decay.
DECAY = ("kernels", "all")


class SeqPair(keras.layers.Layer):
    """BN(contract(ReLU(expand(x)))). A subclass gives the layers and the tied operation."""

    expand_size = contract_size = 1
    pool = False

    def __init__(
        self,
        units: int | None = None,
        expansion: int = 2,
        *,
        tied: bool = False,
        init: str = "R",
        inner_bias: bool = False,
        inner_norm: bool = False,
        norm: bool = True,
        independent: bool = False,
        orthogonal: float = 0.0,
        orthogonal_on: str = "pointwise",
        weight_decay: float = 0.0,
        decay: str = "kernels",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = None if units is None else checks.integer("units", units, least=1)
        self.expansion = checks.integer("expansion", expansion, least=2)
        # Refused here, not only when the layer is built.
        self.init = SeqExpand(init, seed=0).init
        self.tied = bool(tied)
        self.independent = bool(independent)
        if self.tied and self.independent:
            raise ZooError("A tied pair has one kernel: independent=True needs tied=False.")
        for name, value, allowed in (
            ("orthogonal_on", orthogonal_on, ORTHOGONAL_ON),
            ("decay", decay, DECAY),
        ):
            if value not in allowed:
                raise ZooError(f"{name} must be one of {allowed}. Received: {value!r}")
        self.orthogonal_on, self.decay = orthogonal_on, decay
        self.use_inner_bias, self.use_inner_norm = bool(inner_bias), bool(inner_norm)
        self.use_norm = bool(norm)
        self.orthogonal = checks.not_negative("orthogonal", orthogonal)
        self.weight_decay = checks.not_negative("weight_decay", weight_decay)
        self.seed = checks.seed(seed)
        self._draw_seed = random.randint(1, 2**31 - 1) if self.seed is None else self.seed
        # A tied pair has one kernel, in the layer whose kernel is the larger.
        self._owner = "contract" if self.contract_size > self.expand_size else "expand"
        self.expand: Any = None
        self.contract: Any = None
        self.inner_bias: Any = None
        self.inner_norm: Any = None
        self.norm: Any = None

    def build(self, input_shape: Shape) -> None:
        inputs = input_shape[-1]
        if inputs is None:
            raise ZooError(
                f"{self.name}: the last axis must have a known size. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        hidden, outputs = self.expansion * inputs, self.units or inputs
        if self.tied and outputs != inputs:
            raise ZooError(
                "A tied pair has as many outputs as inputs. "
                f"Received: inputs={inputs}, outputs={outputs}"
            )
        inner = (*input_shape[:-1], hidden)
        pooled = (*self._pooled(input_shape)[:-1], hidden)
        if not self.tied or self._owner == "expand":
            initializer = SeqExpand(self.init, self._draw_seed)
            self.expand = self._linear(hidden, self.expand_size, initializer, "expand")
            self.expand.build(input_shape)
        if self.use_inner_bias:
            self.inner_bias = self.add_weight(
                shape=(hidden,),
                initializer="zeros",
                regularizer=self._other_decay(),
                name="inner_bias",
            )
        if self.use_inner_norm:
            self.inner_norm = self._normalization("inner_norm")
            self.inner_norm.build(inner)
        if not self.tied or self._owner == "contract":
            # The published program halves this start of a free kernel: the pair is then x / 2.
            gain = 0.5 if self.init == "L" and not self.tied else 1.0
            draw = self._draw_seed + self.independent
            initializer = SeqContract(self.init, inputs, gain, draw)
            self.contract = self._linear(outputs, self.contract_size, initializer, "contract")
            self.contract.build(pooled)
        if self.use_norm:
            self.norm = self._normalization("norm")
            self.norm.build((*pooled[:-1], outputs))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        x = self.expand(x) if self.expand else self._tied(x, self.contract.kernel)
        if self.inner_bias is not None:
            x = ops.add(x, self.inner_bias)
        if self.inner_norm:
            x = self.inner_norm(x, training=training)
        x = ops.relu(self._max_pool(x))
        x = self.contract(x) if self.contract else self._tied(x, self.expand.kernel)
        return self.norm(x, training=training) if self.norm else x

    def own_multiply_adds(self) -> int:
        """Multiply-adds per example of the tied operation, which no layer of its own computes.

        Returns:
            int, 0 for a pair that is not tied.

        Raises:
            ZooError: the sizes of the input are not known.
        """
        if not self.tied:
            return 0
        shape = self.get_build_config()["input_shape"]
        sides = (shape if self._owner == "contract" else self._pooled(shape))[1:-1]
        if None in sides:
            raise ZooError(f"{self.name}: the size of the input is not known: {tuple(shape)}")
        return self.expansion * shape[-1] ** 2 * math.prod(sides)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*self._pooled(input_shape)[:-1], self.units or input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "expansion": self.expansion,
            "tied": self.tied,
            "init": self.init,
            "inner_bias": self.use_inner_bias,
            "inner_norm": self.use_inner_norm,
            "norm": self.use_norm,
            "independent": self.independent,
            "orthogonal": self.orthogonal,
            "orthogonal_on": self.orthogonal_on,
            "weight_decay": self.weight_decay,
            "decay": self.decay,
            "seed": self.seed,
        }

    def _linear(
        self, units: int, size: int, initializer: keras.Initializer, name: str
    ) -> keras.Layer:
        raise NotImplementedError

    def _tied(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The operation whose kernel is the transpose of the other one's."""
        raise NotImplementedError

    def _normalization(self, name: str) -> BatchNormalization:
        return BatchNormalization(
            **BATCH_NORM,
            gamma_regularizer=self._other_decay(),
            beta_regularizer=self._other_decay(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _other_decay(self) -> keras.Regularizer | None:
        """The weight decay of what is no kernel."""
        decays = self.weight_decay and self.decay == "all"
        return keras.regularizers.L2(self.weight_decay / 2) if decays else None

    def _regularizer(self, size: int) -> Sum | None:
        terms: list[keras.Regularizer] = []
        if self.weight_decay:
            terms.append(keras.regularizers.L2(self.weight_decay / 2))
        if self.orthogonal and (size == 1 or (self.tied and self.orthogonal_on == "pairs")):
            terms.append(ScaledOrthogonalRegularizer(self.orthogonal, centre_tap=size > 1))
        return Sum(terms) if terms else None

    def _pooled(self, shape: Shape) -> Shape:
        return shape

    def _max_pool(self, x: Tensor) -> Tensor:
        return x

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """Two layers with the ReLU between them; a tied kernel becomes two equal ones."""
        bias = None if self.inner_bias is None else to_numpy(self.inner_bias)
        x = _linear_form(form, self.expand, self.contract, x, f"{name}_expand", bias)
        if self.inner_norm:
            x = form.apply(self.inner_norm, x, f"{name}_inner_norm")
        x = keras.layers.ReLU(name=f"{name}_relu")(self._pool_form(form, x, f"{name}_pool"))
        x = _linear_form(form, self.contract, self.expand, x, f"{name}_contract")
        return form.apply(self.norm, x, f"{name}_norm") if self.norm else x

    def _pool_form(self, form: KerasForm, x: Any, name: str) -> Any:
        return x


def _linear_form(
    form: KerasForm,
    own: keras.Layer | None,
    other: keras.Layer,
    x: Any,
    name: str,
    bias: np.ndarray | None = None,
) -> Any:
    """One half of a pair: its own kernel or, where tied, the transpose of the other's."""
    kernel = to_numpy((other if own is None else own).kernel)
    if own is None:
        if kernel.ndim == 4:
            kernel = kernel[[kernel.shape[0] // 2]][:, [kernel.shape[1] // 2]]
        kernel = np.swapaxes(kernel, -1, -2)
    options: dict[str, Any] = {"use_bias": bias is not None, "name": name}
    if kernel.ndim == 4:
        options |= {"padding": "same", "data_format": "channels_last"}
        new = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options)
    else:
        new = keras.layers.Dense(kernel.shape[-1], **options)
    y = new(x)
    form.keep(new, [kernel] if bias is None else [kernel, bias])
    return y
