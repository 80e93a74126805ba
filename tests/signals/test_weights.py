import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo.errors import UnknownNameError, ZooError
from zoo.signals.theory.matrices import domination, spectral_norm
from zoo.signals.weights import map_kernels, weight_domination

RNG = np.random.default_rng(0)


def product(targets, outputs):
    """A loss whose gradient by the outputs of an example is its target."""
    return ops.sum(ops.cast(targets, outputs.dtype) * outputs, axis=-1)


def test_domination_of_a_linear_layer():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="dense")])
    dense = model.layers[0]
    dense.kernel.assign(np.diag([5.0, 1.0]))
    x, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[6.0, 0.0], [0.0, 8.0]])
    # dL/dW = mean of x y^T = diag(3, 4)
    assert weight_domination(model, x, y, loss=product) == {"dense": pytest.approx(4 / 5)}
    assert domination(np.diag([5.0, 1.0]), np.diag([3.0, 4.0])) == pytest.approx(4 / 5)
    dense.kernel.assign(np.zeros((2, 2)))
    assert weight_domination(model, x, y, loss=product) == {"dense": math.inf}
    assert math.isnan(weight_domination(model, x, 0 * y, loss=product)["dense"])


def test_batch_norm_makes_a_scaled_weight_dominate():
    """Theorem 2: the weight times a, its gradient times 1 / a, the other layers as before."""
    model = keras.Sequential([keras.Input((4,))])
    for name in ("first", "second"):
        model.add(layers.Dense(4, use_bias=False, name=name))
        model.add(layers.BatchNormalization(epsilon=1e-12))
    x, y = (RNG.standard_normal((32, 4)).astype("float32") for _ in range(2))
    before = weight_domination(model, x, y, loss=product)
    kernel = model.get_layer("first").kernel
    kernel.assign(10.0 * kernel.value)
    after = weight_domination(model, x, y, loss=product)
    assert after["first"] == pytest.approx(before["first"] / 100, rel=1e-3)
    assert after["second"] == pytest.approx(before["second"], rel=1e-3)


def test_of_kernels():
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Conv1D(2, 3, name="conv"),
            layers.SeparableConv1D(5, 2, name="two"),
        ]
    )
    model.layers[0].trainable = False
    found = map_kernels(model, lambda kernel: tuple(kernel.shape))
    assert found == {
        "conv": (3, 3, 2),  # frozen, and looked at all the same
        "two/depthwise_kernel": (2, 2, 1),
        "two/pointwise_kernel": (1, 2, 5),
    }
    assert map_kernels(model, spectral_norm, ["conv"]).keys() == {"conv"}
    with pytest.raises(UnknownNameError, match="Did you mean 'conv'"):
        map_kernels(model, spectral_norm, ["konv"])
    inner = keras.Sequential([keras.Input((3,)), layers.ReLU(name="relu"), layers.Dense(2)])
    with pytest.raises(ZooError, match="no kernel in the layers"):
        map_kernels(inner, spectral_norm, ["relu"])


def test_bad_kernels():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="broken")])
    model.layers[0].kernel.assign(np.full((2, 2), np.inf))
    with pytest.raises(ZooError, match="of broken: The kernel holds NaN"):
        weight_domination(model, np.ones((1, 2)), np.ones((1, 2)), loss=product)
