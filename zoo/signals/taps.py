"""Where signals are read: in front of and behind the layers of any Keras model, unchanged."""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import keras
from keras import ops

from zoo.errors import UnknownNameError, ZooError

Where = Literal[
    "input",
    "linear",
    "output",
    "input_gradient",
    "linear_gradient",
    "output_gradient",
    "weight_gradient",
]
_BACKWARD = ("input_gradient", "linear_gradient", "output_gradient")


@dataclasses.dataclass(frozen=True)
class Tap:
    """What to read at each layer.

    Attributes:
        where: String, the layer's "input", "output" or "linear" output, before the activation
            function that layers like Dense apply themselves; the gradient of the loss with respect
            to one of these ("input_gradient", …), or "weight_gradient".
        function: Function of that one tensor, in `keras.ops`; for "weight_gradient" of the kernel
            and its gradient. What it gives is kept, a tensor of fixed shape; the signal itself is
            not, so that a reduction costs no memory.

    Raises:
        ZooError: Another `where`.

    Example:

    >>> Tap("output_gradient", mean_square).where
    'output_gradient'
    """

    where: Where
    function: Callable[..., Any]

    def __post_init__(self) -> None:
        allowed = ("input", "linear", "output", *_BACKWARD, "weight_gradient")
        if self.where not in allowed:
            raise ZooError(f"where must be one of {allowed}. Received: {self.where!r}")


def mean_square(x: Any) -> Any:
    """The mean square of all elements; for taps at inputs, outputs and their gradients.

    Args:
        x: Tensor.

    Returns:
        Scalar tensor, float32.

    Example:

    >>> float(mean_square(ops.array([1.0, 3.0])))
    5.0
    """
    return ops.mean(ops.square(ops.cast(x, "float32")))


def gradient_norm(kernel: Any, gradient: Any) -> Any:
    """The Euclidean norm of a kernel's gradient; for taps of "weight_gradient".

    Args:
        kernel: Tensor, not looked at.
        gradient: Tensor.

    Returns:
        Scalar tensor, float32.

    Example:

    >>> float(gradient_norm(None, ops.array([3.0, 4.0])))
    5.0
    """
    return ops.sqrt(ops.sum(ops.square(ops.cast(gradient, "float32"))))


def identity(x: Any) -> Any:
    """The signal itself; for taps at inputs, outputs and their gradients.

    Args:
        x: Tensor.

    Returns:
        x.

    Example:

    >>> identity(3)
    3
    """
    return x


# What runs within their loops cannot be seen from outside: these count as one layer.
_CLOSED = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)


# Of some layers these have two dimensions or more, too; and so have the moments of a
# `zoo.layers.ModulationSource`, whose gradient is no gradient.
_NO_KERNELS = {"alpha", "beta", "bias", "gamma"}


def kernels_of(layer: keras.Layer) -> list[keras.Variable]:
    """The matrices and filter banks that a layer owns, trainable or frozen.

    Args:
        layer: Keras layer, built.

    Returns:
        List of variables.

    Example:

    >>> dense = keras.layers.Dense(2)
    >>> dense.build((None, 3))
    >>> [kernel.name for kernel in kernels_of(dense)]
    ['kernel']
    """
    own = layer._trainable_variables
    if isinstance(layer, _CLOSED):
        own = [v for part in layer._flatten_layers() for v in part._trainable_variables]
    return [
        v
        for v in own
        if len(v.shape) >= 2 and v.name not in _NO_KERNELS and not v.overwrite_with_gradient
    ]


def layers_of(
    model: keras.Model, wanted: Sequence[str | keras.Layer] | None = None
) -> dict[keras.Layer, str]:
    """Layers and the names they are reported under.

    Args:
        model: Keras model, built.
        wanted: List of names, paths or layers of the model, at any depth; None for every layer that
            owns a kernel, trainable or frozen. A recurrent layer counts as one, and so does what is
            wrapped in `TimeDistributed`.

    Returns:
        Dict, layer -> path within the model, unique.

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: The model is not built, or has no layer with a kernel; `wanted` is one name.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    >>> list(layers_of(model).values())
    ['dense']
    """
    if isinstance(wanted, str):
        raise ZooError(f"layers must be a list of names or layers. Received: {wanted!r}")
    if not model.built:
        raise ZooError(
            f"{model.name} is not built, so its layers are not known. Call it on a batch first."
        )
    known = list(descendants(model))
    if wanted is None:
        chosen = [layer for layer in known if kernels_of(layer)]
        if not chosen:
            raise ZooError(f"{model.name} has no layer with a kernel: name the layers to look at.")
    else:
        by_name: dict[int | str, keras.Layer] = {id(layer): layer for layer in known}
        by_name |= {layer.path: layer for layer in reversed(known)}
        by_name |= {_path(model, layer): layer for layer in reversed(known)}
        by_name |= {layer.name: layer for layer in reversed(known)}
        chosen = []
        for key in wanted:
            name: int | str = id(key) if isinstance(key, keras.Layer) else key
            layer = by_name.get(name)
            if layer is None:
                shown = key.name if isinstance(key, keras.Layer) else key
                names = [k for k in by_name if isinstance(k, str)]
                raise UnknownNameError(f"layer of {model.name}", shown, names)
            chosen.append(layer)
    # Layers of a subclassed model share names easily.
    taken: set[str] = set()
    return {layer: _unique(_path(model, layer), taken) for layer in dict.fromkeys(chosen)}


def named_kernels(layers: Mapping[keras.Layer, str]) -> dict[str, keras.Variable]:
    """The kernels of layers, trainable or frozen, and the names they are reported under.

    Args:
        layers: Dict, layer -> name, of `layers_of`.

    Returns:
        Dict, name of the layer -> its kernel; "layer/variable" where a layer owns several kernels.
    """
    kernels: dict[str, keras.Variable] = {}
    taken: set[str] = set()
    for layer, name in layers.items():
        own = kernels_of(layer)
        for kernel in own:
            within = kernel.path.removeprefix(f"{layer.path}/")
            kernels[_unique(name if len(own) == 1 else f"{name}/{within}", taken)] = kernel
    return kernels


def descendants(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layers within a layer or model, at any depth, each ahead of those within it.

    What is within recurrent layers, `Bidirectional` and `TimeDistributed` is left out.

    Args:
        layer: Keras layer or model.

    Yields:
        Layers.
    """
    for child in layer._layers:
        yield child
        if not isinstance(child, _CLOSED):
            yield from descendants(child)


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    taken.add(unique)
    return unique


def _path(model: keras.Model, layer: keras.Layer) -> str:
    # Keras numbers unnamed models: without that name, reports of one net read the same.
    return (layer.path or layer.name).removeprefix(f"{model.name}/")


class Recorder:
    """What the taps of one forward pass read.

    Attributes:
        forward: Signal -> layer -> value, of the taps at inputs and outputs.
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
    def attached(self) -> Iterator[None]:
        """Within it, calls of the layers are recorded."""
        calls: dict[keras.Layer, int] = {}
        with contextlib.ExitStack() as stack:
            for layer, name in self.layers.items():
                tapped = self._tapped(layer, name, calls)
                stack.enter_context(_replaced(layer, "call", tapped))
            yield

    def _tapped(
        self, layer: keras.Layer, name: str, calls: dict[keras.Layer, int]
    ) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            if not args:  # the input comes by name
                args = (kwargs.pop(next(iter(inspect.signature(original).parameters))),)
            inputs, args = args[0], args[1:]
            calls[layer] = number = calls.get(layer, 0) + 1
            # A layer used again is another place of the graph.
            place = name if number == 1 else f"{name}#{number}"
            inputs = self._read(place, "input", inputs)
            outputs = self._read_linear(place, layer, original, inputs, *args, **kwargs)
            return self._read(place, "output", outputs)

        return call

    def _read_linear(
        self, place: str, layer: keras.Layer, call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Outputs of a call, read before the activation that the layer applies itself."""
        activation = getattr(layer, "activation", None)
        if not any(tap.where.startswith("linear") for tap in self.taps.values()):
            return call(*args, **kwargs)
        if activation is None:
            return self._read(place, "linear", call(*args, **kwargs))
        with _replaced(layer, "activation", lambda h: activation(self._read(place, "linear", h))):
            return call(*args, **kwargs)

    def _read(self, place: str, side: str, tensor: Any) -> Any:
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

    def _behind(self, signal: str, place: str, tap: Tap, tensor: Any) -> Any:
        """An identity whose backward pass leaves the reduced error as the gradient of a token."""
        # Of zeros, for its shape: what nobody uses costs nothing once compiled.
        spec = ops.convert_to_tensor(tap.function(ops.zeros(tensor.shape, _dtype(tensor))))
        token = self.token(signal, place, tuple(spec.shape), _dtype(spec))

        @ops.custom_gradient
        def identity(x: Any, token: Any) -> tuple[Any, Callable]:
            def grad(*errors: Any, upstream: Any = None) -> tuple[Any, Any]:
                error = errors[0] if upstream is None else upstream
                return error, tap.function(error)

            return x, grad

        return identity(tensor, token)


def _differentiable(tensor: Any) -> bool:
    return "float" in _dtype(tensor)


def _dtype(tensor: Any) -> str:
    return keras.backend.standardize_dtype(tensor.dtype)


@contextlib.contextmanager
def _replaced(layer: keras.Layer, attribute: str, value: Any) -> Iterator[None]:
    # Past Keras, which would take a function for a part of the layer.
    before = layer.__dict__.get(attribute)
    object.__setattr__(layer, attribute, value)
    try:
        yield
    finally:
        if before is None:
            object.__delattr__(layer, attribute)
        else:
            object.__setattr__(layer, attribute, before)
