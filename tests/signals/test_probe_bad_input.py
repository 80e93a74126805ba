"""What a probe refuses: outputs, batches and arguments that cannot be."""

import keras
import numpy as np
import pytest
from keras import layers

from zoo.errors import UnknownNameError, ZooError
from zoo.signals import Probe, Tap, mean_square

X, Y = np.ones((5, 4), "float32"), np.zeros((5, 2), "float32")
ERROR = {"q": Tap("input_gradient", mean_square)}


def net():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2, name="dense")], name="net")


def test_several_outputs_are_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])
    with pytest.raises(ZooError, match=r"gives several outputs.*keras.Model\(model.inputs"):
        Probe(model, ERROR, loss="mse")(X, Y)
    forward = Probe(model, {"x": Tap("input", mean_square)})(X)["x"]
    assert len(forward) == 2


def test_batches_that_cannot_be_read():
    probe = Probe(net(), ERROR, loss="mse")
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ZooError, match="inputs are not finite: example 3"):
        probe(bad, Y)
    with pytest.raises(ZooError, match="targets are not finite: example 1"):
        probe(X, np.where(np.arange(5)[:, None] == 1, np.inf, Y))
    with pytest.raises(ZooError, match=r"at least one example. Received none"):
        probe(X[:0], Y[:0])
    with pytest.raises(ZooError, match="Gradients need targets"):
        probe(X)


def test_arguments_that_cannot_be():
    model = net()
    with pytest.raises(UnknownNameError, match=r"Unknown layer of net.*'dens'"):
        Probe(model, {}, layers=["dens"])
    with pytest.raises(ZooError, match=r"loss must be a name or a function.*Received: 3"):
        Probe(model, ERROR, loss=3)
    unbuilt = keras.Sequential([layers.Dense(2)], name="unbuilt")
    with pytest.raises(ZooError, match="unbuilt is not built"):
        Probe(unbuilt, ERROR)


def test_lists_of_numbers_are_no_arrays():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    probe = Probe(model, {"q": Tap("output", mean_square)})
    with pytest.raises(ZooError, match=r"inputs must be arrays.*Received: list of numbers"):
        probe([[1.0, 2.0]])
