"""Layers of one structure in a row, at the cost of tracing and compiling one."""

import os
import keras
from keras import ops

def repeat(blocks, x, training):
    mode = os.environ.get("REPEAT", "unroll")
    if mode == "unroll" or len(blocks) < 2:
        for block in blocks:
            x = block(x, training=training)
        return x
    one = blocks[0]
    def stack(group):
        return [ops.stack([v.value for v in same]) for same in zip(*group)]
    t = stack([b.trainable_variables for b in blocks])
    n = stack([b.non_trainable_variables for b in blocks])
    if keras.backend.backend() == "jax":
        def step(x, values):
            y, new = one.stateless_call(*values, x, training=training)
            return y, new
        import jax
        x, new = jax.lax.scan(step, x, (t, n))
        for k, values in enumerate(new):
            for i, b in enumerate(blocks):
                b.non_trainable_variables[k].assign(values[i])
        return x
    import tensorflow as tf
    if mode == "while":
        N = len(blocks)
        tas = [tf.TensorArray(v.dtype, N, element_shape=v.shape[1:]).unstack(v) for v in t]
        nas = [tf.TensorArray(v.dtype, N, element_shape=v.shape[1:]).unstack(v) for v in n]
        outs = [tf.TensorArray(v.dtype, N, element_shape=v.shape[1:]) for v in n]
        def body(i, x, outs):
            y, new = one.stateless_call([a.read(i) for a in tas], [a.read(i) for a in nas], x, training=training)
            y.set_shape(x.shape)
            return i + 1, y, [o.write(i, v) for o, v in zip(outs, new)]
        _, x, outs = tf.while_loop(lambda i, *_: i < N, body, (0, x, outs), maximum_iterations=N)
        for k, o in enumerate(outs):
            o = tf.unstack(o.stack(), N)
            for i, b in enumerate(blocks):
                b.non_trainable_variables[k].assign(o[i])
        return x
    if mode == "func":
        f = tf.function(lambda t, n, x: one.stateless_call(t, n, x, training=training), autograph=False)
        for b in blocks:
            x, new = f([v.value for v in b.trainable_variables], [v.value for v in b.non_trainable_variables], x)
            for v, w in zip(b.non_trainable_variables, new):
                v.assign(w)
        return x
