"""Small functions for tests on any backend."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np


def array(x) -> np.ndarray:
    """A backend tensor or variable as float64."""
    x = x.value if hasattr(x, "value") else x
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")), "float64")


def gradient(function, x: np.ndarray) -> np.ndarray:
    """Gradient of a scalar function of one float32 array, on any backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import torch

    x = torch.tensor(x, requires_grad=True)
    function(x).backward()
    return x.grad.numpy()


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs code in a fresh process at the repository root, on the same backend."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def weight_gradients(model, loss) -> dict[str, np.ndarray]:
    """Gradients of `loss()`, a scalar of backend tensors, by path of the trainable variables.

    `loss` calls the model. JAX compiles it, for its operations one by one take longer.
    """
    variables = model.trainable_variables
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            y = loss()
        gradients = tape.gradient(y, [v.value for v in variables])
    elif backend == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss()

        gradients = jax.jit(jax.grad(stateless))([v.value for v in variables])
    else:
        import torch

        gradients = torch.autograd.grad(loss(), [v.value for v in variables])
    return {v.path: array(g) for v, g in zip(variables, gradients, strict=True)}


def compiled(function):
    """The function, compiled by XLA; on torch as it is."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    return fast(function)


def fast(function):
    """The function, compiled on JAX, where operations one by one take longer; else as it is."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def forward(model, x):
    """The outputs at inference. JAX compiles with the weights as arguments: nets of one structure
    share a program."""
    if keras.backend.backend() != "jax":
        return keras.tree.map_structure(array, model(x, training=False))
    import jax

    def outputs(trainable, others, x):
        return model.stateless_call(trainable, others, x, training=False)[0]

    values = [[v.value for v in group] for group in
              (model.trainable_variables, model.non_trainable_variables)]  # fmt: skip
    return keras.tree.map_structure(array, jax.jit(outputs)(*values, x))
