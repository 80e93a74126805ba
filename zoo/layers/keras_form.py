"""How a layer says what it is in Keras's own layers, for programs that do not have the zoo."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.types import Tensor


class KerasForm:
    """Calls Keras's own layers in place of others, and keeps the values of their weights.

    A layer of the zoo has a method `keras_form(form, x, name)`: the output, behind x, of Keras's
    layers that do the same in inference, whose names begin with `name`.

    Attributes:
        values: path of a variable -> its array.
    """

    def __init__(self) -> None:
        self.values: dict[str, np.ndarray] = {}

    def apply(self, layer: keras.Layer, x: Any, name: str) -> Any:
        """What a layer does to x.

        Raises:
            ZooError: it is neither Keras's nor says what it is.
        """
        if hasattr(layer, "keras_form"):
            return layer.keras_form(self, x, name)
        for inner in layer._flatten_layers():  # itself first; a model may be a layer of another
            kind = type(inner)
            if kind.__module__.partition(".")[0] != "keras":
                place = layer.name if inner is layer else f"{layer.name}, {inner.name}"
                raise ZooError(
                    f"{place}: there are no layers of Keras for a {kind.__name__} here. Only "
                    "networks of the zoo's and Keras's layers have a plain form, and models within "
                    "models only where they are of Keras's layers alone: take the inner ones one "
                    "by one."
                )
        return self.copy(type(layer), layer, x, name)

    def chain(self, layers: Sequence[keras.Layer], x: Any, name: str) -> Any:
        """What layers in a row do to x."""
        for layer in layers:
            x = self.apply(layer, x, f"{name}_{layer.name}")
        return x

    def copy(
        self,
        kind: type[keras.Layer],
        layer: keras.Layer,
        x: Any,
        name: str,
        *,
        weights: Sequence[Any] | None = None,
        without: Sequence[str] = (),
        **changes: Any,
    ) -> Any:
        """What one layer of Keras does, with the configuration and weights of `layer`.

        Args:
            kind: the class of Keras.
            layer: whose configuration it gets, but for initializers, regularizers, constraints.
            x: what it takes.
            name: str. Its name.
            weights: in place of the layer's own.
            without: endings of further keys that are left out of the configuration.
            **changes: of the configuration.
        """
        ends = ("_initializer", "_regularizer", "_constraint", *without)
        config = {k: v for k, v in layer.get_config().items() if not k.endswith(ends)}
        new = kind.from_config(config | {"name": name, "dtype": "float32", **changes})
        y = new(x)
        self.keep(new, layer.weights if weights is None else weights)
        return y

    def keep(self, layer: keras.Layer, weights: Sequence[Any]) -> None:
        """Notes the values of a layer's weights, in their order."""
        for variable, value in zip(layer.weights, map(to_numpy, weights), strict=True):
            if variable.path in self.values:
                raise ZooError(
                    f"The model has two variables called {variable.path}: its parts have a plain "
                    "form one by one."
                )
            self.values[variable.path] = value


def every_pixel(x: Any, strides: int, name: str) -> Any:
    """Every `strides`-th row and column, by a layer of Keras."""
    return (
        x
        if strides == 1
        else keras.layers.MaxPooling2D(1, strides, data_format="channels_last", name=name)(x)
    )


def to_numpy(x: Tensor) -> np.ndarray:
    """The values in float32."""
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))
