"""Models whose variables take their arrays at birth: no initializer runs only to be overwritten.

That makes loading faster (`benchmarks/cold_start.py`), and a model that is only looked at costs no
memory. Keras can put off the creation of variables but has no public way to end it, so
this file, and no other, uses private calls: `_initializer`, `_deferred_initialize` and the list
of variables that wait. Where those are not as expected, models are built the plain way.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import keras
import numpy as np

from zoo.types import Shape, Tensor

# Bytes: an array that begins at a multiple of it is taken over without a copy.
ALIGNMENT = 64


class TooManyWeights(Exception):
    """A model has more weights than it may have."""


def build_without_values(create: Callable[[], keras.Model], most: float = math.inf) -> keras.Model:
    """`create()`, whose variables may have no values yet: to be looked at, or for `fill`.

    Args:
        create: function that builds a model.
        most: int. The number of weights that it may have.

    Returns:
        The model.

    Raises:
        TooManyWeights: it comes to have more (not where models are built the plain way).

    Example:

    >>> build_without_values(lambda: zoo.create("vgg19_bn")).count_params()
    143689256
    """
    return _build(create, most) if _works() else create()


def fill(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model of `build_without_values` its values.

    Args:
        model: keras.Model, which is changed.
        arrays: mapping of str to NumPy array, weights by path. All others (a new head, states of
            random generators) start as their initializers say.
    """
    _fill(model, arrays)
    if _works():
        for layer in model._flatten_layers():
            getattr(layer, "torch_params", None)  # PyTorch's own list, made when first asked for


def _fill(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    weights = {id(v): arrays.get(v.path) for v in model.weights}
    for variable in model.variables:
        array = weights.get(id(variable))
        waiting = getattr(variable, "_initializer", None)
        if isinstance(waiting, _Placeholder):
            _initialize(variable, waiting.initializer if array is None else _constant(array))
        elif array is not None:
            variable.assign(array)


class _Placeholder:
    """Stands for an initializer while Keras infers shapes, where only shape and dtype count."""

    def __init__(self, initializer: Any):
        self.initializer = initializer

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        return keras.ops.zeros(shape, dtype)


class _Waiting(list):
    """Keras's list of variables that wait for their values."""

    def __init__(self, most: float):
        super().__init__()
        self.left = most

    def append(self, variable: keras.Variable) -> None:
        # States of random generators and scalars, as of metrics, are not among the weights.
        if "int" not in variable.dtype and len(variable.shape):
            self.left -= math.prod(variable.shape)
        if self.left < 0:
            raise TooManyWeights
        variable._initializer = _Placeholder(variable._initializer)
        super().append(variable)


def _build(create: Callable[[], keras.Model], most: float = math.inf) -> keras.Model:
    from keras.src.backend.common import global_state

    previous = global_state.get_global_attribute("uninitialized_variables")
    waiting = _Waiting(most)
    global_state.set_global_attribute("uninitialized_variables", waiting)
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = create()
    finally:
        global_state.set_global_attribute("uninitialized_variables", previous)
    own = {id(v) for v in model.variables}
    for variable in waiting:
        if id(variable) not in own:  # Keras's global random state may be born here
            _initialize(variable, variable._initializer.initializer)
    return model


def _initialize(variable: keras.Variable, initializer: Any) -> None:
    variable._initializer = initializer
    variable._deferred_initialize()


def _constant(array: np.ndarray) -> Callable[..., Tensor]:
    return lambda shape, dtype=None: keras.ops.cast(_tensor(array), dtype)


def _tensor(array: np.ndarray) -> Tensor:
    """The backend's tensor, of the array's own memory where that is possible: `keras.ops` would
    copy it (TensorFlow), or compile a program for every shape (JAX)."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.device_put(array)
    if backend == "tensorflow" and _may_be_taken_over(array):
        import tensorflow as tf

        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return keras.ops.convert_to_tensor(array)


def _may_be_taken_over(array: np.ndarray) -> bool:
    # TensorFlow ends the process where memory lies otherwise; DLPack exports no read-only array.
    return array.size > 0 and array.ctypes.data % ALIGNMENT == 0 and array.flags.writeable


@functools.cache
def _works() -> bool:
    """Whether this Keras defers as it is used here."""

    def never(shape: Shape, dtype: Any = None) -> NoReturn:
        raise AssertionError("the initializer ran")

    class Probe(keras.layers.Layer):
        def build(self, _: Shape) -> None:
            self.w = self.add_weight(shape=(2,), initializer=never, dtype="float32", name="w")

        def call(self, x: Tensor) -> Tensor:
            return x * self.w

    def create() -> keras.Model:
        inputs = keras.Input((2,))
        return keras.Model(inputs, Probe(name="zoo_probe")(inputs), name="zoo_probe_model")

    try:
        model = _build(create)
        _fill(model, {"zoo_probe/w": np.array([3.0, 4.0], "float32")})
        return model.weights[0].numpy().tolist() == [3.0, 4.0]
    except Exception:
        return False
