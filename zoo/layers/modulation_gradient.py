"""An identity of two tensors with a gradient of our own: the one place where backends differ.

`with_gradient(x, token, backward)` gives (x, token). Their gradients are those that
`backward(token, error, token_error)` makes of the errors of the two outputs.
`keras.ops.custom_gradient` cannot give two outputs on PyTorch.

`mean_over_replicas(value)` is the mean over the replicas of a data-parallel step. Only TensorFlow's
strategies run the backward pass once per replica; JAX computes with the global batch throughout.
"""

import keras
from keras import ops


def _with_gradient(x, token, backward):
    @ops.custom_gradient
    def identity(x, token):
        def grad(*errors, upstream=None):
            # TensorFlow passes one argument per output, JAX one tuple.
            error, token_error = errors if len(errors) == 2 else errors[0]
            return backward(token, error, token_error)

        return (x, token), grad

    return identity(x, token)


def _torch():
    import torch

    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, token, backward):
            ctx.save_for_backward(token)
            ctx.rule = backward
            return x.view_as(x), token.view_as(token)

        @staticmethod
        def backward(ctx, error, token_error):
            return *ctx.rule(*ctx.saved_tensors, error, token_error), None

    return Identity.apply


def _tensorflow_mean(value):
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, value)


_BACKEND = keras.backend.backend()
with_gradient = _torch() if _BACKEND == "torch" else _with_gradient
mean_over_replicas = _tensorflow_mean if _BACKEND == "tensorflow" else lambda value: value
