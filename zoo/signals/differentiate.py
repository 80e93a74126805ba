"""One forward and backward pass, compiled where the backend compiles: where backends differ.

`differentiate(forward, finish)` gives `run(weights, *others) -> values`, where

- `forward(token, weights, *others) -> (scalar loss, list of values)`; it asks
  `token(key, shape, dtype)` for zeros by which the loss is differentiated, too;
- `finish(weights, gradients of the weights) -> list of values`.

`values` are the lists (of forward, of finish, gradients of the tokens) and the keys of the tokens
in the order in which they were asked for. Nothing is differentiated where there is nothing to
differentiate by.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from zoo.types import Shape, Tensor


def value_here(variable: keras.Variable) -> Tensor:
    """The value of a variable; on one device, where several hold the same."""
    value, backend = variable.value, keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # A distributed variable cannot be watched; this is the first replica's.
        return tf.convert_to_tensor(value)
    if backend == "jax" and len(value.sharding.device_set) > 1 and value.is_fully_replicated:
        return value.addressable_data(0)
    return value


def _tensorflow(forward: Callable, finish: Callable) -> Callable:
    import tensorflow as tf

    keys: list[Any] = []

    @tf.function(autograph=False)
    def run(weights: list, *others: Any) -> tuple:
        tokens = {}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)

            def token(key: Any, shape: Shape, dtype: str) -> Tensor:
                tokens[key] = tf.zeros(shape, dtype)
                tape.watch(tokens[key])
                return tokens[key]

            loss, values = forward(token, weights, *others)
        keys[:] = tokens
        gradients = [None] * (len(weights) + len(tokens))
        if gradients:
            gradients = tape.gradient(
                loss, [*weights, *tokens.values()], unconnected_gradients="zero"
            )
            # Those of an embedding are sparse.
            gradients = [tf.convert_to_tensor(g) for g in gradients]
        done = finish(weights, gradients[: len(weights)])
        return values, done, gradients[len(weights) :]

    # TensorFlow would warn of every fifth probe: it takes them for one function traced too often.
    run._omit_frequent_tracing_warning = True

    def call(*arguments: Any) -> tuple:
        if not tf.distribute.has_strategy():
            return *run(*arguments), list(keys)
        # Within the scope of a strategy, Keras divides losses by the number of replicas. Threads
        # do not inherit it.
        with ThreadPoolExecutor(1) as thread:
            return *thread.submit(run, *arguments).result(), list(keys)

    return call


def _jax(forward: Callable, finish: Callable) -> Callable:
    import jax
    import jax.numpy as jnp

    known = {}

    @jax.jit
    def run(weights: list, tokens: dict, *others: Any) -> tuple:
        def loss(weights: list, tokens: dict) -> tuple:
            return forward(lambda key, *_: tokens[key], weights, *others)

        gradients, values = jax.grad(loss, (0, 1), has_aux=True)(weights, tokens)
        return values, finish(weights, gradients[0]), gradients[1]

    @jax.jit
    def plain(weights: list, *others: Any) -> Any:
        return forward(None, weights, *others)[1]

    def call(weights: list, *others: Any) -> tuple:
        shape = str(jax.tree.map(jnp.shape, others))
        if shape not in known:  # the tokens must exist before the pass that asks for them
            tokens = {}

            def token(key: Any, shape: Shape, dtype: str) -> Tensor:
                tokens[key] = jnp.zeros(shape, dtype)
                return tokens[key]

            with jax.ensure_compile_time_eval():
                jax.eval_shape(lambda *a: forward(token, *a), weights, *others)
            known[shape] = tokens
        tokens = known[shape]
        if not tokens and not weights:
            return plain(weights, *others), [], [], []
        values, done, gradients = run(weights, tokens, *others)
        return values, done, [gradients[key] for key in tokens], list(tokens)

    return call


def _torch(forward: Callable, finish: Callable) -> Callable:
    import torch

    def run(weights: list, *others: Any) -> tuple:
        tokens = {}

        def token(key: Any, shape: Shape, dtype: str) -> Tensor:
            from keras.src.backend.torch.core import get_device, to_torch_dtype

            tokens[key] = torch.zeros(
                shape, dtype=to_torch_dtype(dtype), device=get_device(), requires_grad=True
            )
            return tokens[key]

        weights = [w.detach().requires_grad_() for w in weights]
        # Of what nothing is differentiated by, PyTorch would keep the whole graph.
        others = keras.tree.map_structure(lambda v: None if v is None else v.detach(), others)
        # Dropout draws from PyTorch's own generator, which is to go on as if nothing had been.
        with torch.random.fork_rng():
            loss, values = forward(token, weights, *others)
        gradients = []
        if weights or tokens:
            gradients = torch.autograd.grad(loss, [*weights, *tokens.values()], allow_unused=True)
            gradients = [
                torch.zeros_like(x) if g is None else g
                for x, g in zip([*weights, *tokens.values()], gradients, strict=True)
            ]
        done = finish(weights, gradients[: len(weights)])
        return values, done, gradients[len(weights) :], list(tokens)

    return run


differentiate = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
