"""Dense nets at their start, and the mean norms of their weight gradients over many starts."""

import keras
import numpy as np
from keras import layers, ops

from zoo.signals import Probe, Tap, gradient_norm
from zoo.signals.theory.depth import growth_per_layer

WIDTH, BATCH = 256, 128


def dense_net(
    depth: int, activation: str = "relu", norm: bool = True, skips: bool = False
) -> keras.Model:
    """`depth` dense layers, each with batch normalization and activation.

    With `skips`, the input of every second layer is added before the activation of the next one.
    """
    x = inputs = keras.Input((WIDTH,))
    for i in range(depth):
        if i % 2 == 0:
            start = x
        x = layers.Dense(WIDTH, use_bias=False, name=f"layer{i + 1}")(x)
        if norm:
            x = layers.BatchNormalization(epsilon=1e-5, center=False, scale=False)(x)
        if skips and i % 2:
            x = layers.Add()([x, start])
        x = layers.Activation(activation)(x)
    return keras.Model(inputs, x)


def mean_norms(nets: list[keras.Model], gains: list[float], repetitions: int) -> np.ndarray:
    """Mean over starts of ||dl/dW_k||, (nets, layers).

    In each repetition all nets get the same numbers: kernels N(0, gain / width), a batch of
    N(0, 1), errors on top of N(0, 1 / width).
    """
    probes = [
        Probe(
            net,
            {"norm": Tap("weight_gradient", gradient_norm)},
            # Its gradient is the error, whose place the targets take.
            loss=lambda error, y: ops.sum(error * y, axis=-1) * BATCH,
        )
        for net in nets
    ]
    depth = len(nets[0].trainable_variables)
    total = np.zeros((len(nets), depth))
    for repetition in range(repetitions):
        rng = np.random.default_rng(repetition)
        draw = rng.standard_normal((depth, WIDTH, WIDTH), "float32") / WIDTH**0.5
        x, error = rng.standard_normal((2, BATCH, WIDTH), "float32")
        for i, (net, gain, probe) in enumerate(zip(nets, gains, probes, strict=True)):
            for kernel, values in zip(net.trainable_variables, draw, strict=True):
                kernel.assign(values * gain**0.5)
            norms = probe(x, error / WIDTH**0.5)["norm"]
            total[i] += [float(v) for v in norms.values()]
    return total / repetitions


def growth(norms: np.ndarray) -> float:
    """Factor per layer, towards the input."""
    return growth_per_layer(dict(enumerate(norms)))
