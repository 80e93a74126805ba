"""An identity of two tensors with a gradient of our own: the one place where backends differ.

`with_gradient(x, token, backward)` gives (x, token). Their gradients are those that
`backward(token, error, token_error)` makes of the errors of the two outputs.
`keras.ops.custom_gradient` cannot give two outputs on PyTorch.

`mean_over_replicas(value)` is the mean over the replicas of a data-parallel step. Only TensorFlow's
strategies run the backward pass once per replica; JAX computes with the global batch throughout.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import ops

from zoo.types import Tensor

# (token, error, token_error) -> gradients of x and of the token.
_Rule: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _with_gradient(x: Tensor, token: Tensor, backward: _Rule) -> tuple[Tensor, Tensor]:
    @ops.custom_gradient
    def identity(x: Tensor, token: Tensor) -> Any:
        def grad(*errors: Any, upstream: Any = None) -> tuple[Tensor, Tensor]:
            # TensorFlow passes one argument per output, JAX one tuple.
            error, token_error = errors if len(errors) == 2 else errors[0]
            return backward(token, error, token_error)

        return (x, token), grad

    return identity(x, token)


def _torch() -> Callable[[Tensor, Tensor, _Rule], tuple[Tensor, Tensor]]:
    import torch

    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, token: Tensor, backward: _Rule) -> Any:
            ctx.save_for_backward(token)
            ctx.rule = backward
            return x.view_as(x), token.view_as(token)

        @staticmethod
        def backward(ctx: Any, error: Tensor, token_error: Tensor) -> Any:
            return *ctx.rule(*ctx.saved_tensors, error, token_error), None

    return Identity.apply


def _tensorflow_mean(value: Tensor) -> Tensor:
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, value)


def _unchanged(value: Tensor) -> Tensor:
    return value


_BACKEND = keras.backend.backend()
with_gradient = _torch() if _BACKEND == "torch" else _with_gradient
mean_over_replicas = _tensorflow_mean if _BACKEND == "tensorflow" else _unchanged
