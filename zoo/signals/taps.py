"""Where signals are read: in front of and behind the layers of any Keras model, unchanged."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import keras
from keras import ops

from zoo.errors import UnknownNameError, ZooError

Where = Literal["input", "output", "input_gradient", "output_gradient", "weight_gradient"]
_BACKWARD = ("input_gradient", "output_gradient")


@dataclasses.dataclass(frozen=True)
class Tap:
    """What to read at each layer.

    Attributes:
        where: the layer's "input" or "output", the gradient of the loss with respect to either, or
            "weight_gradient".
        function: of that one tensor, in `keras.ops`; for "weight_gradient" of the kernel and its
            gradient. What it gives is kept, a tensor of fixed shape; the signal itself is not,
            so that a reduction costs no memory.
    """

    where: Where
    function: Callable[..., Any]

    def __post_init__(self):
        allowed = ("input", "output", *_BACKWARD, "weight_gradient")
        if self.where not in allowed:
            raise ZooError(f"where must be one of {allowed}. Received: {self.where!r}")


def mean_square(x):
    """Mean square of all elements, in float32."""
    return ops.mean(ops.square(ops.cast(x, "float32")))


def gradient_norm(kernel, gradient):
    """Euclidean norm of a gradient, in float32."""
    return ops.sqrt(ops.sum(ops.square(ops.cast(gradient, "float32"))))


def raw(x):
    """The signal itself."""
    return x


def has_kernel(layer: keras.Layer) -> bool:
    """Whether a layer owns a matrix or a filter bank."""
    return any(len(v.shape) >= 2 for v in layer._trainable_variables)


def layers_of(
    model: keras.Model, wanted: Sequence[str | keras.Layer] | None = None
) -> dict[keras.Layer, str]:
    """Layers and the names they are reported under.

    Args:
        model: built.
        wanted: names, paths or layers of the model, at any depth; None for every layer that owns
            a kernel, trainable or frozen. A recurrent layer counts as one.

    Returns:
        layer -> path, unique.

    Raises:
        UnknownNameError: the model has no such layer.
        ZooError: the model is not built, or has no layer with a kernel.
    """
    if not model.built:
        raise ZooError(
            f"{model.name} is not built, so its layers are not known. Call it on a batch first."
        )
    found = list(_descend(model))
    if wanted is None:
        chosen = [layer for layer in found if has_kernel(layer)]
        if not chosen:
            raise ZooError(f"{model.name} has no layer with a kernel: name the layers to look at.")
    else:
        by_name = {id(layer): layer for layer in found}
        by_name |= {layer.path: layer for layer in reversed(found)}
        by_name |= {layer.name: layer for layer in reversed(found)}
        chosen = []
        for key in wanted:
            layer = by_name.get(id(key) if isinstance(key, keras.Layer) else key)
            if layer is None:
                name = key.name if isinstance(key, keras.Layer) else key
                names = [k for k in by_name if isinstance(k, str)]
                raise UnknownNameError(f"layer of {model.name}", name, names)
            chosen.append(layer)
    names: dict[keras.Layer, str] = {}
    for layer in chosen:
        # Layers of a subclassed model share names easily.
        taken = set(names.values())
        name = base = layer.path or layer.name
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        names[layer] = name
    return names


def _descend(layer: keras.Layer) -> Iterator[keras.Layer]:
    for child in layer._layers:
        yield child
        # What runs within the loop of a recurrent layer cannot be seen from outside.
        if not isinstance(child, keras.layers.RNN | keras.layers.Bidirectional):
            yield from _descend(child)


class Recorder:
    """What the taps of one forward pass read.

    Attributes:
        forward: signal -> layer -> value, of the taps at inputs and outputs.
    """

    def __init__(
        self,
        layers: dict[keras.Layer, str],
        taps: dict[str, Tap],
        token: Callable[[str, str, tuple, str], Any],
    ):
        self.layers, self.taps, self.token = layers, taps, token
        self.forward: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def attached(self):
        """Within it, calls of the layers are recorded."""
        calls: dict[keras.Layer, int] = {}
        with contextlib.ExitStack() as stack:
            for layer, name in self.layers.items():
                stack.enter_context(_replaced(layer, self._tapped(layer, name, calls)))
            yield

    def _tapped(self, layer, name, calls):
        original = layer.call

        def call(inputs, *args, **kwargs):
            calls[layer] = number = calls.get(layer, 0) + 1
            # A layer used again is another place of the graph.
            place = name if number == 1 else f"{name}#{number}"
            inputs = self._read(place, "input", inputs)
            return self._read(place, "output", original(inputs, *args, **kwargs))

        return call

    def _read(self, place, side, tensor):
        for signal, tap in self.taps.items():
            if not tap.where.startswith(side):
                continue
            if not ops.is_tensor(tensor):
                raise ZooError(
                    f"The {side} of layer {place} is no single tensor, but a "
                    f"{type(tensor).__name__}: {signal!r} cannot be read there."
                )
            if tap.where in _BACKWARD:
                if _differentiable(tensor):
                    tensor = self._behind(signal, place, tap, tensor)
            else:
                self.forward.setdefault(signal, {})[place] = tap.function(tensor)
        return tensor

    def _behind(self, signal, place, tap, tensor):
        """An identity whose backward pass leaves the reduced error as the gradient of a token."""
        # Of zeros, for its shape: what nobody uses costs nothing once compiled.
        spec = ops.convert_to_tensor(tap.function(ops.zeros(tensor.shape, _dtype(tensor))))
        token = self.token(signal, place, tuple(spec.shape), _dtype(spec))

        @ops.custom_gradient
        def identity(x, token):
            def grad(*errors, upstream=None):
                error = errors[0] if upstream is None else upstream
                return error, tap.function(error)

            return x, grad

        return identity(tensor, token)


def _differentiable(tensor) -> bool:
    return "float" in _dtype(tensor)


def _dtype(tensor) -> str:
    return keras.backend.standardize_dtype(tensor.dtype)


@contextlib.contextmanager
def _replaced(layer, call):
    # Past Keras, which would take the function for a part of the layer.
    before = layer.__dict__.get("call")
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        if before is None:
            object.__delattr__(layer, "call")
        else:
            object.__setattr__(layer, "call", before)
