"""Networks of the zoo as networks of Keras's own layers, for programs that do not have the zoo."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.detection.mask_rcnn import MaskRCNN
from zoo.errors import ZooError
from zoo.layers import (
    BatchNormalization,
    CReLU,
    Modulation,
    ModulationSource,
    NormPropActivation,
    NormPropConv2D,
    ResidualBlock,
    ResidualStage,
    SeqConvPair2D,
    SeqDensePair,
    SymmetricConv2D,
    SymmetricMaxPool2D,
)
from zoo.layers.norm_prop import _DEVIATION, _MEAN
from zoo.models.deferred import build_without_values, fill

# More end in a RecursionError, after minutes.
_MOST_LAYERS = 2000


def plain_model(model: keras.Model) -> keras.Model:
    """A network of the same outputs whose layers are all Keras's own.

    For inference, in float32. Composite layers become chains; filters that are normalized in each
    step (`NormPropConv2D`) are stored normalized; a tied kernel becomes two equal ones; modulation,
    the identity in inference, is left out. Regularizers, constraints and initializers are not
    taken over.

    Args:
        model: Functional, of layers of the zoo and of Keras.

    Returns:
        Functional model, with the same input and copies of the weights. It does not need the zoo
        to be saved or loaded.

    Raises:
        ZooError: a layer is neither Keras's nor of the zoo's networks; the model is a detector,
            which is more than a graph of layers; or the network is too deep to be a graph of
            single layers, of about 1000 in a row, which Keras walks recursively.
    """
    if isinstance(model, MaskRCNN):
        raise ZooError(
            f"{model.name} is a detector, more than a graph of layers: it needs the zoo."
        )
    too_deep = f"{model.name} is too deep for a graph of single layers: Keras walks it recursively."
    if len(model._flatten_layers()) > _MOST_LAYERS:
        raise ZooError(too_deep)
    converter = _Converter()
    with float32():
        try:
            plain = build_without_values(
                lambda: keras.models.clone_model(
                    model,
                    clone_function=lambda layer: layer,
                    call_function=lambda layer, x, **_: converter.plain(layer, x, layer.name),
                )
            )
        except RecursionError:
            raise ZooError(too_deep) from None
        fill(plain, converter.values)
    return plain


@contextmanager
def float32() -> Iterator[None]:
    """Within it, models are built in float32, whatever policy the program has."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


class _Converter:
    """Calls plain layers in place of others, and keeps the values of their weights by path.

    Every method gives the output, behind x, of layers whose names begin with `name`.
    """

    def __init__(self):
        self.values: dict[str, np.ndarray] = {}

    def plain(self, layer: keras.Layer, x, name: str):
        """What `layer` does."""
        kind = type(layer)
        if kind in _CONVERSIONS:
            return _CONVERSIONS[kind](self, layer, x, name)
        if kind.__module__.partition(".")[0] != "keras":
            raise ZooError(
                f"{layer.name}: there are no layers of Keras for a {kind.__name__}. Only networks "
                "of the zoo's and Keras's layers have a plain form."
            )
        return self.copy(kind, layer, x, name)

    def copy(
        self,
        kind: type[keras.Layer],
        layer: keras.Layer,
        x,
        name: str,
        *,
        weights: Sequence | None = None,
        without: Sequence[str] = (),
        **changes: Any,
    ):
        """What one layer does, with the configuration and weights of `layer`, and changes."""
        ends = ("_initializer", "_regularizer", "_constraint", *without)
        config = {k: v for k, v in layer.get_config().items() if not k.endswith(ends)}
        new = kind.from_config(config | {"name": name, "dtype": "float32", **changes})
        y = new(x)
        self.keep(new, layer.weights if weights is None else weights)
        return y

    def batch_norm(self, layer, x, name):
        return self.copy(layers.BatchNormalization, layer, x, name)

    def conv(self, layer: SymmetricConv2D, x, name, **changes):
        if layer._padded:
            x = layers.ZeroPadding2D(layer._sides, name=f"{name}_pad")(x)
        return self.copy(layers.Conv2D, layer, x, name, padding=layer.padding, **changes)

    def norm_prop_conv(self, layer: NormPropConv2D, x, name):
        weights = [_numpy(layer.scaled(layer.kernel))]
        if layer.use_bias:
            weights.append(_numpy(layer.bias))
        return self.conv(layer, x, name, weights=weights, without=("scale",))

    def norm_prop_act(self, layer: NormPropActivation, x, name):
        if layer.nonlinearity == "crelu":
            x = self.crelu(layer, x, f"{name}_crelu")
        else:
            x = layers.ReLU(name=f"{name}_relu")(x)
        return layers.Rescaling(1 / _DEVIATION, -_MEAN / _DEVIATION, name=name)(x)

    def crelu(self, _, x, name):
        negative = layers.Rescaling(-1.0, name=f"{name}_minus")(x)
        halves = [layers.ReLU(name=f"{name}_1")(x), layers.ReLU(name=f"{name}_2")(negative)]
        return layers.Concatenate(name=name)(halves)

    def max_pool(self, layer: SymmetricMaxPool2D, x, name):
        # At stride 1 Keras pads both sides alike. Of that, every second row and column is wanted.
        x = layers.MaxPooling2D(layer.pool_size, 1, "same", name=name)(x)
        return self.every(layer.strides[0], x, f"{name}_stride")

    def every(self, strides: int, x, name: str):
        """Every `strides`-th row and column."""
        return x if strides == 1 else layers.MaxPooling2D(1, strides, name=name)(x)

    def modulation(self, _, x, name):
        return x

    def pair(self, layer: SeqConvPair2D | SeqDensePair, x, name):
        bias = None if layer.inner_bias is None else _numpy(layer.inner_bias)
        x = self.linear(layer.expand, layer.contract, x, f"{name}_expand", bias)
        if layer.inner_norm:
            x = self.batch_norm(layer.inner_norm, x, f"{name}_inner_norm")
        if isinstance(layer, SeqConvPair2D) and layer.pool:
            x = self.max_pool(layer._max_pool_layer, x, f"{name}_pool")
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = self.linear(layer.contract, layer.expand, x, f"{name}_contract")
        return self.batch_norm(layer.norm, x, f"{name}_norm") if layer.norm else x

    def linear(self, own, other, x, name: str, bias: np.ndarray | None = None):
        """One half of a pair: its own kernel or, where tied, the transpose of the other's."""
        kernel = _numpy((own or other).kernel)
        if own is None:
            if kernel.ndim == 4:
                kernel = kernel[[kernel.shape[0] // 2]][:, [kernel.shape[1] // 2]]
            kernel = np.swapaxes(kernel, -1, -2)
        if kernel.ndim == 4:
            new = layers.Conv2D(
                kernel.shape[-1],
                kernel.shape[:2],
                padding="same",
                data_format="channels_last",
                use_bias=bias is not None,
                name=name,
            )
        else:
            new = layers.Dense(kernel.shape[-1], use_bias=bias is not None, name=name)
        y = new(x)
        self.keep(new, [kernel] if bias is None else [kernel, bias])
        return y

    def stage(self, layer: ResidualStage, x, name):
        return self.chain(layer.blocks, x, name)

    def block(self, layer: ResidualBlock, x, name):
        x = self.chain(layer.before, x, name)
        y = self.chain(layer.residual, x, name)
        if layer.shortcut != "none":
            y = layers.Add(name=f"{name}_add")([y, self.shortcut(layer, x, name)])
        return self.chain(layer.after, y, name)

    def shortcut(self, layer: ResidualBlock, x, name):
        pads = layer.shortcut == "identity_pad"
        if pads:
            x = self.every(layer.strides, x, f"{name}_shortcut_stride")
        x = self.chain(layer.identity, x, name)
        more = layer.units - x.shape[-1]
        if not (pads and more):
            return x
        # Zeros behind the channels, by a layer that adds them to rows and columns.
        x = layers.Permute((1, 3, 2), name=f"{name}_shortcut_turn")(x)
        x = layers.ZeroPadding2D(((0, 0), (0, more)), name=f"{name}_shortcut_pad")(x)
        return layers.Permute((1, 3, 2), name=f"{name}_shortcut_turn_back")(x)

    def chain(self, chain, x, name):
        for layer in chain:
            x = self.plain(layer, x, f"{name}_{layer.name}")
        return x

    def keep(self, layer, weights):
        values = map(_numpy, weights)
        self.values |= {v.path: a for v, a in zip(layer.weights, values, strict=True)}


def _numpy(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


_CONVERSIONS: dict[type, Callable] = {
    BatchNormalization: _Converter.batch_norm,
    CReLU: _Converter.crelu,
    Modulation: _Converter.modulation,
    ModulationSource: _Converter.modulation,
    NormPropActivation: _Converter.norm_prop_act,
    NormPropConv2D: _Converter.norm_prop_conv,
    ResidualBlock: _Converter.block,
    ResidualStage: _Converter.stage,
    SeqConvPair2D: _Converter.pair,
    SeqDensePair: _Converter.pair,
    SymmetricConv2D: _Converter.conv,
    SymmetricMaxPool2D: _Converter.max_pool,
}
