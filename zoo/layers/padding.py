"""What the layers that pad alike on all sides do not take."""

from collections.abc import Mapping
from typing import Any

from zoo.errors import ZooError


def refuse_padding(layer: str, keras_layer: str, arguments: Mapping[str, Any]) -> None:
    """Refuses the arguments of the Keras layer that are fixed here.

    Args:
        layer: str. The class that was called.
        keras_layer: str. The Keras layer that takes them.
        arguments: dict of what was received.

    Raises:
        ZooError: `padding` or `data_format` is among them.
    """
    for name in {"padding", "data_format"} & set(arguments):
        raise ZooError(
            f"{layer} is channels last and pads alike on all sides; it takes no {name}. Leave it "
            f"out, or use keras.layers.{keras_layer}. Received: {name}={arguments[name]!r}"
        )
