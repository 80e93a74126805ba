"""The block that residual networks are built from."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from zoo import checks
from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm, every_pixel
from zoo.layers.layer_factory import INITIAL_SCALE, LayerFactory
from zoo.types import Shape, Tensor

ORDERS = ("post", "pre", "pre_shared", "pre_bare")
Shortcut = Literal["identity_pad", "projection", "projection3x3", "none"]


@keras.saving.register_keras_serializable("zoo")
class ResidualBlock(keras.layers.Layer):
    """act(F(x) + shortcut(x)), where F is a chain of two or three convolutions.

    F is Conv-Norm-Act-Conv-Norm, 3x3 and 3x3; in a bottleneck 1x1, 3x3, 1x1, the last with
    4 * `filters`. The first 3x3 convolution has the stride. With pre-activation F is
    Norm-Act-Conv-Norm-Act-Conv, and nothing follows the sum.

    CReLU acts inside F alone: the convolution behind it sees twice the channels, and the path of
    the shortcut has a ReLU instead. Under NormProp the shortcut is batch-normalized where the
    resolution drops, before channels are added.

    Args:
        filters: int. Filters of the 3x3 convolutions.
        strides: int, 1 or 2.
        bottleneck: bool. Whether F is a bottleneck.
        order: str, "post"; or, with pre-activation, "pre", "pre_shared" (the first Norm-Act comes
            before the split, so that the shortcut sees it, too) or "pre_bare" (without the first
            Norm-Act: the block follows a stem that ends with one).
        shortcut: str. What becomes of x where the shape changes; elsewhere it stays x.
            "identity_pad": every `strides`-th pixel, and channels of zeros behind its own;
            "projection": 1x1 convolution and, with "post", normalization;
            "projection3x3": the same with a 3x3 convolution;
            "none": there is no shortcut, here and elsewhere: a plain net.
        last_gamma: float. Where the scale of the last normalization of F starts. From 0 the block
            starts as its shortcut. Other than 1 with "post" and a normalization alone.
        factory: `zoo.layers.LayerFactory`, or a dict of its fields, or None for its defaults.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: tensor (N, H, W, C).
        training: bool. Whether the normalizations take the batch's statistics.

    Input shape:
        (N, H, W, C), C known.

    Output shape:
        (N, ceil(H / strides), ceil(W / strides), filters), in a bottleneck 4 * filters.

    Returns:
        Tensor of that shape.

    Raises:
        ZooError: for an unknown order or shortcut, and for "identity_pad" from more channels
            to fewer.

    References:
        - He et al., "Deep Residual Learning for Image Recognition", section 3.
        - He et al., "Identity Mappings in Deep Residual Networks", section 3.
        - Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated
          Rectified Linear Units", figure 1 (CReLU and NormProp).

    Example:

    >>> block = zoo.layers.ResidualBlock(16, strides=2, bottleneck=True, shortcut="projection")
    >>> tuple(block(np.zeros((2, 9, 8, 32))).shape)
    (2, 5, 4, 64)
    """

    trainable: bool

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        *,
        bottleneck: bool = False,
        order: str = "post",
        shortcut: Shortcut = "identity_pad",
        last_gamma: float = 1.0,
        factory: LayerFactory | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        factory = kwargs.pop("parts", factory)  # its name in older files
        super().__init__(**kwargs)
        for name, value, allowed in (
            ("order", order, ORDERS),
            ("shortcut", shortcut, get_args(Shortcut)),
        ):
            if value not in allowed:
                raise ZooError(f"{name} must be one of {allowed}. Received: {name}={value!r}")
        self.filters = checks.integer("filters", filters, least=1)
        self.strides = checks.integer("strides", strides, least=1)
        self.bottleneck = bool(bottleneck)
        self.order, self.shortcut = order, shortcut
        if not isinstance(factory, LayerFactory):
            factory = LayerFactory(**(factory or {}))
        self.factory = factory
        self.last_gamma = checks.not_negative("last_gamma", last_gamma)
        normalized = order == "post" and factory.norm in ("batchnorm", "groupnorm")
        if self.last_gamma != 1 and not normalized:
            raise ZooError(
                "last_gamma needs order='post' and norm='batchnorm' or 'groupnorm'. Received: "
                f"last_gamma={last_gamma!r}, order={order!r}, norm={factory.norm!r}"
            )
        self.units = 4 * self.filters if self.bottleneck else self.filters
        # The layers before the split, of F, of the shortcut, and behind the sum.
        self.before: list[keras.Layer] = []
        self.residual: list[keras.Layer] = []
        self.identity: list[keras.Layer] = []
        self.after: list[keras.Layer] = []

    def build(self, input_shape: Shape) -> None:
        self._make_residual()
        split = self._build_chain(self.before, input_shape)
        self._make_identity(split[-1])
        self._build_chain(self.identity, split)
        self._build_chain(self.after, self._build_chain(self.residual, split))
        if not self.trainable:
            self.trainable = False  # also of the layers made just now

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        x = _run(self.before, x, training)
        y = _run(self.residual, x, training)
        if self.shortcut != "none":
            y = ops.add(y, self._shortcut(x, training))
        return _run(self.after, y, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        n, *sides, _ = input_shape
        return (n, *(None if s is None else -(-s // self.strides) for s in sides), self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "bottleneck": self.bottleneck,
            "order": self.order,
            "shortcut": self.shortcut,
            "last_gamma": self.last_gamma,
            "factory": self.factory.get_config(),
        }

    def _make_residual(self) -> None:
        factory = self.factory
        sizes = (1, 3, 1) if self.bottleneck else (3, 3)
        widths = (self.filters, self.filters, self.units) if self.bottleneck else (self.units,) * 2
        convs, norm_acts = [], []
        for i, (size, units) in enumerate(zip(sizes, widths, strict=True), start=1):
            strides = self.strides if i == sizes.index(3) + 1 else 1
            convs.append(factory.conv(units, size, f"conv{i}", strides))
            gamma = self.last_gamma if i == len(sizes) else 1.0
            norms = factory.norm_layers(f"norm{i}", gamma)
            norm_acts.append([*norms, factory.act(f"act{i}")])
        # One activation is outside F, where the number of channels has to stay.
        single = "relu" if factory.nonlinearity == "crelu" else factory.nonlinearity
        outside = dataclasses.replace(factory, nonlinearity=single)
        if self.order == "post":
            norm_acts[-1].pop()
            self.after = [outside.act(f"act{len(convs)}")]
            chain = [(conv, *rest) for conv, rest in zip(convs, norm_acts, strict=True)]
        else:
            if self.order != "pre":
                first, norm_acts[0] = norm_acts[0], []
                if self.order == "pre_shared":
                    self.before = [*first[:-1], outside.act("act1")]
            chain = [(*rest, conv) for conv, rest in zip(convs, norm_acts, strict=True)]
        self.residual = [layer for unit in chain for layer in unit]

    def _make_identity(self, channels: Any) -> None:
        if self.shortcut == "none" or (self.strides == 1 and channels == self.units):
            return
        pads, norm, factory = self.shortcut == "identity_pad", self.order == "post", self.factory
        if pads and channels > self.units:
            raise ZooError(
                "shortcut='identity_pad' adds channels and cannot drop any. "
                f"Received: {channels} channels, to become {self.units}"
            )
        if factory.norm.startswith("normprop") and self.strides > 1:
            changes: dict[str, Any] = {"norm": "batchnorm", "initial_scale": INITIAL_SCALE}
            factory, norm = dataclasses.replace(factory, **changes), True
        elif pads:
            norm = False
        if not pads:
            size = 3 if self.shortcut == "projection3x3" else 1
            self.identity.append(factory.conv(self.units, size, "shortcut_conv", self.strides))
        if norm:
            self.identity += factory.norm_layers("shortcut_norm")

    def _shortcut(self, x: Tensor, training: bool | None) -> Tensor:
        pads = self.shortcut == "identity_pad"
        if pads and self.strides > 1:
            x = x[:, :: self.strides, :: self.strides]
        x = _run(self.identity, x, training)
        if pads and x.shape[-1] < self.units:
            x = ops.pad(x, [(0, 0)] * 3 + [(0, self.units - x.shape[-1])])
        return x

    def _build_chain(self, chain: Sequence[keras.Layer], shape: Shape) -> Shape:
        for layer in chain:
            layer.dtype_policy = self.dtype_policy
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        return shape

    def keras_form(self, form: KerasForm, x: Any, name: str) -> Any:
        """The layers of the block, and a sum."""
        x = form.chain(self.before, x, name)
        y = form.chain(self.residual, x, name)
        if self.shortcut != "none":
            y = keras.layers.Add(name=f"{name}_add")([y, self._shortcut_form(form, x, name)])
        return form.chain(self.after, y, name)

    def _shortcut_form(self, form: KerasForm, x: Any, name: str) -> Any:
        pads = self.shortcut == "identity_pad"
        if pads:
            x = every_pixel(x, self.strides, f"{name}_shortcut_stride")
        x = form.chain(self.identity, x, name)
        more = self.units - x.shape[-1]
        if not (pads and more):
            return x
        # Zeros behind the channels, by a layer that adds them to rows and columns.
        x = keras.layers.Permute((1, 3, 2), name=f"{name}_shortcut_turn")(x)
        x = keras.layers.ZeroPadding2D(
            ((0, 0), (0, more)), data_format="channels_last", name=f"{name}_shortcut_pad"
        )(x)
        return keras.layers.Permute((1, 3, 2), name=f"{name}_shortcut_turn_back")(x)


def _run(chain: Sequence[keras.Layer], x: Tensor, training: bool | None) -> Tensor:
    for layer in chain:
        if isinstance(layer, keras.layers.BatchNormalization):
            x = layer(x, training=training)
        else:
            x = layer(x)
    return x
