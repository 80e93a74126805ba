"""Models whose variables take their arrays at birth: no initializer runs only to be overwritten.

That makes loading faster (`benchmarks/loading.py`), and a model that is only looked at costs no
memory. Keras can put off the creation of variables but has no public way to end it, so
this file, and no other, uses private calls: `_initializer`, `_deferred_initialize` and the list
of variables that wait. Where those are not as expected, models are built the plain way.
"""

import functools
from collections.abc import Callable, Mapping

import keras
import numpy as np


def build_without_values(create: Callable[[], keras.Model]) -> keras.Model:
    """`create()`, whose variables may have no values yet: to be looked at, or for `fill`."""
    return _build(create) if _works() else create()


def fill(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model of `build_without_values` its values: weights by path, the others (a new
    head, states of random generators) from their initializers."""
    weights = {id(v): arrays.get(v.path) for v in model.weights}
    for variable in model.variables:
        array = weights.get(id(variable))
        waiting = getattr(variable, "_initializer", None)
        if isinstance(waiting, _Placeholder):
            _initialize(variable, waiting.initializer if array is None else _constant(array))
        elif array is not None:
            variable.assign(array)
    if _works():
        for layer in model._flatten_layers():
            getattr(layer, "torch_params", None)  # PyTorch's own list, made when first asked for


class _Placeholder:
    """Stands for an initializer while Keras infers shapes, where only shape and dtype count."""

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)


class _Waiting(list):
    """Keras's list of variables that wait for their values."""

    def append(self, variable):
        variable._initializer = _Placeholder(variable._initializer)
        super().append(variable)


def _build(create):
    from keras.src.backend.common import global_state

    previous = global_state.get_global_attribute("uninitialized_variables")
    waiting = _Waiting()
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


def _initialize(variable, initializer):
    variable._initializer = initializer
    variable._deferred_initialize()


def _constant(array):
    return lambda shape, dtype=None: keras.ops.cast(keras.ops.convert_to_tensor(array), dtype)


@functools.cache
def _works() -> bool:
    """Whether this Keras defers as it is used here."""

    def never(shape, dtype=None):
        raise AssertionError("the initializer ran")

    class Probe(keras.layers.Layer):
        def build(self, _):
            self.w = self.add_weight(shape=(2,), initializer=never, dtype="float32", name="w")

        def call(self, x):
            return x * self.w

    def create():
        inputs = keras.Input((2,))
        return keras.Model(inputs, Probe(name="zoo_probe")(inputs), name="zoo_probe_model")

    try:
        model = _build(create)
        fill(model, {"zoo_probe/w": np.array([3.0, 4.0], "float32")})
        return model.weights[0].numpy().tolist() == [3.0, 4.0]
    except Exception:
        return False
