"""Which layers are read, under which names, and by what."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.helpers import array
from zoo.errors import UnknownNameError, ZooError
from zoo.signals import Tap, gradient_norm, identity, layers_of, mean_square


def model():
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, name="first"), layers.ReLU(name="relu")], name="inner"
    )
    x = inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Dropout(0.5)(inner(x))))


def test_layers_with_kernels_at_any_depth_in_order():
    net = model()
    found = layers_of(net)
    assert [layer.name for layer in found] == ["first", "head"]
    assert list(found.values()) == [layer.path for layer in found]
    net.trainable = False
    assert list(layers_of(net)) == list(found)


def test_layers_by_name_by_path_and_themselves():
    net = model()
    first, relu = net.get_layer("inner").layers
    found = layers_of(net, ["head", first.path, relu])
    assert list(found) == [net.get_layer("head"), first, relu]
    assert list(found)[2] is relu
    assert list(layers_of(net, ["head", "head"]).values()) == ["head"]


def test_layers_of_one_name_are_told_apart():
    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = (layers.Dense(2, name="twin") for _ in range(2))

        def build(self, shape):
            for layer in (self.a, self.b):
                layer.build(shape)

        def call(self, x):
            return self.b(self.a(x))

    net = Twins()
    net.build((None, 2))
    names = layers_of(net)
    assert len(set(names.values())) == 2
    assert list(names) == [net.a, net.b]


def test_unknown_layers_are_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"'heed'. Did you mean 'head'"):
        layers_of(model(), ["heed"])
    with pytest.raises(UnknownNameError, match=r"Unknown layer of .*'stranger'"):
        layers_of(model(), [layers.Dense(2, name="stranger")])


def test_a_name_alone_is_no_list_of_names():
    with pytest.raises(ZooError, match=r"layers must be a list.*Received: 'head'"):
        layers_of(model(), "head")


def test_what_a_tap_reads():
    with pytest.raises(ZooError, match=r"where must be one of .*'weight_gradient'.*'outside'"):
        Tap("outside", identity)
    x = keras.ops.convert_to_tensor(np.array([[3.0, 4.0]]), "float16")
    assert array(mean_square(x)) == 12.5
    assert array(gradient_norm(None, x)) == 5
    assert identity(x) is x
    big = keras.ops.convert_to_tensor(np.array([300.0]), "float16")
    assert array(mean_square(big)) == 90000  # beyond float16
