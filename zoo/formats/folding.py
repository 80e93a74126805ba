"""Trained networks as short chains: normalization in the kernels, nothing that only training needs.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", section 3.2, fold batch normalization into the convolution before it; into the one
behind it the same algebra leads, as long as no padding lies between.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.formats.affine import Affine, Linear
from zoo.formats.keras_form import to_keras_layers
from zoo.layers.keras_form import KerasForm
from zoo.models.cost import multiply_adds
from zoo.models.deferred import build_without_values, fill
from zoo.models.policy import dtype_policy

# Nothing in inference.
IDLE = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)
MEANS = (
    layers.AveragePooling2D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.UpSampling2D,
    layers.Cropping2D,
)
MAXIMA = (layers.MaxPooling2D, layers.GlobalMaxPooling2D)


@dataclass(frozen=True)
class Size:
    """What a network consists of.

    Attributes:
        layers: int, without the input.
        bytes: int, of the weights.
        multiply_adds: int or None, for one input; None where the input size is open.
    """

    layers: int
    bytes: int
    multiply_adds: int | None

    @classmethod
    def of(cls, model: keras.Model) -> Size:
        """The size of a network."""
        count = sum(not isinstance(layer, layers.InputLayer) for layer in model.layers)
        weights = sum(np.prod(v.shape) * np.dtype("float32").itemsize for v in model.weights)
        open_size = any(None in tensor.shape[1:] for tensor in model.inputs)
        return cls(count, int(weights), None if open_size else multiply_adds(model))


@dataclass(frozen=True)
class Folding:
    """What `fold` has done.

    Attributes:
        before: Size, of the network in Keras's own layers.
        after: Size.
        stayed: mapping of str to str, affine layers that are left, and why.
    """

    before: Size
    after: Size
    stayed: dict[str, str]

    def __str__(self) -> str:
        lines = [
            f"layers: {self.before.layers} -> {self.after.layers}",
            f"bytes: {self.before.bytes:,} -> {self.after.bytes:,}",
        ]
        if self.after.multiply_adds is not None:
            pair = (self.before.multiply_adds, self.after.multiply_adds)
            lines.append("multiply-adds: {:,} -> {:,}".format(*pair))
        return "\n".join(lines + [f"{name} stays: {why}" for name, why in self.stayed.items()])


def fold(model: keras.Model) -> keras.Model:
    """A network of the same outputs in fewer layers, all of them Keras's own, for inference.

    Batch normalization and constant factors go into the kernel of the convolution or dense layer
    before them, or of those behind them where that is exact: a shift must not come before zeros
    that pad. Poolings may lie between. CReLU stays: a convolution of twice the filters would cost
    more. Tied kernels become two, kernels that are computed
    (`NormPropConv2D`) are stored, and what only training needs is gone: dropout, modulation,
    regularizers, constraints. Outputs differ by rounding alone.

    Args:
        model: keras.Model, Functional or Sequential, of layers of the zoo and of Keras.

    Returns:
        keras.Model, Functional, float32, with copies of the weights. It does not need the zoo to
        be saved or loaded. `zoo_folding`, a `Folding`, tells what was done and what stayed;
        `zoo_card` is the model's, if it has one.

    Raises:
        ZooError: as `zoo.formats.to_keras_layers`.

    References:
        - Jacob et al., "Quantization and Training of Neural Networks for Efficient
          Integer-Arithmetic-Only Inference", section 3.2.

    Example:

    >>> model = zoo.load("maxnorm_plainnet50.cifar10")
    >>> folded = zoo.fold(model)
    >>> sorted({type(layer).__name__ for layer in folded.layers[1:-3]})
    ['Conv2D', 'LeakyReLU', 'MaxPooling2D']
    """
    plain = to_keras_layers(model)
    plan = _Plan(plain)
    form = KerasForm()

    def call(layer: Any, x: Any, **_: Any) -> Any:
        if layer.name in plan.gone:
            return x
        linear = plan.linear.get(layer.name)
        if linear is None or linear is plan.unchanged[layer.name]:
            return form.apply(layer, x, layer.name)
        return form.copy(type(layer), layer, x, layer.name, weights=linear.weights, use_bias=True)

    with dtype_policy("float32"):
        folded = build_without_values(
            lambda: keras.models.clone_model(
                plain, clone_function=lambda layer: layer, call_function=call
            )
        )
        fill(folded, form.values)
    folded.zoo_folding = Folding(Size.of(plain), Size.of(folded), plan.stayed)
    if hasattr(model, "zoo_card"):
        folded.zoo_card = model.zoo_card
    return folded


class _Plan:
    """Which layers go, and the kernels that take them up.

    Attributes:
        gone: names of layers that are left out.
        linear: kernels by layer; `unchanged` those at first.
        stayed: affine layers that are left, and why.
    """

    def __init__(self, model: keras.Model):
        self.readers: dict[int, list[Any]] = collections.defaultdict(list)
        self.makers: dict[int, Any] = {}
        for layer in model.layers:
            for tensor in keras.tree.flatten(layer.output):
                self.makers[id(tensor)] = layer
            if not isinstance(layer, layers.InputLayer):
                for tensor in keras.tree.flatten(layer.input):
                    self.readers[id(tensor)].append(layer)
        for tensor in keras.tree.flatten(model.outputs):
            self.readers[id(tensor)].append(None)
        inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
        known = {layer.name: Linear.of(layer) for layer in inner}
        self.unchanged = {name: linear for name, linear in known.items() if linear}
        self.linear = dict(self.unchanged)
        self.gone = {layer.name for layer in inner if _is_idle(layer)}
        self.stayed: dict[str, str] = {}
        for layer in inner:
            affine = Affine.of(layer)
            if affine is not None:
                self._fold(layer, affine)

    def _fold(self, layer: Any, affine: Affine) -> None:
        source, why_before = self._source(layer.input, affine)
        if source:
            self.linear[source.name] = self.linear[source.name].before(affine)
            self.gone.add(layer.name)
            return
        sinks, why_behind = self._sinks(layer.output, affine)
        if why_behind:
            self.stayed[layer.name] = f"{why_before}; {why_behind}"
            return
        for sink, arrives in sinks:
            self.linear[sink.name] = self.linear[sink.name].behind(arrives)
        self.gone.add(layer.name)

    def _source(self, tensor: Any, affine: Affine) -> tuple[Any, str]:
        """The linear layer before, which alone is read by what is to be folded; or why not."""
        while True:
            maker = self.makers[id(tensor)]
            if len(self.readers[id(tensor)]) > 1:
                return None, f"others read the output of {maker.name}, too"
            if maker.name in self.linear:
                if self.linear[maker.name].has_activation:
                    return None, f"{maker.name} has a nonlinearity"
                return maker, ""
            if maker.name not in self.gone and not _commutes(maker, affine):
                return None, f"it comes behind {maker.name}"
            tensor = maker.input

    def _sinks(self, tensor: Any, affine: Affine) -> tuple[list[tuple[Any, Affine]], str]:
        """The linear layers behind, all that read it, with what arrives there; or why not."""
        found = []
        for reader in self.readers[id(tensor)]:
            if reader is None:
                return [], "it is an output"
            linear = self.linear.get(reader.name)
            if linear:
                if linear.pads and affine.moves_zero:
                    return [], f"its shift cannot pass the padding of {reader.name}"
                found.append((reader, affine))
                continue
            arrives = _behind(reader, affine)
            if reader.name not in self.gone and arrives is None:
                return [], f"{reader.name} comes behind it"
            more, why = self._sinks(reader.output, arrives or affine)
            if why:
                return [], why
            found += more
        return found, ""


def _is_idle(layer: Any) -> bool:
    linear = type(layer) is layers.Activation and layer.activation is keras.activations.linear
    return linear or type(layer) in IDLE


def _commutes(layer: Any, affine: Affine) -> bool:
    """Whether an affine map may as well be done before a layer as behind it."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return False
    if type(layer) in MAXIMA:
        return affine.rises or getattr(layer, "pool_size", None) == (1, 1)
    if type(layer) is layers.ZeroPadding2D:
        return not affine.moves_zero
    # What is beyond the border counts as zero in some backends' averages.
    return type(layer) in MEANS and getattr(layer, "padding", "valid") == "valid"


def _behind(layer: Any, affine: Affine) -> Affine | None:
    """The map that, behind a layer, does what `affine` does before it; None if there is none."""
    if type(layer) is layers.Flatten and None not in layer.input.shape[1:]:
        pixels = int(np.prod(layer.input.shape[1:-1]))
        return Affine(np.tile(affine.scale, pixels), np.tile(affine.shift, pixels))
    return affine if _commutes(layer, affine) else None
