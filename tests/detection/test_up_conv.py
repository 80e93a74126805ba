"""The transposed convolution is Keras's own."""

import keras
import numpy as np
import pytest

from tests.support.helpers import array, weight_gradients
from zoo.detection.up_conv import UpConv2D
from zoo.errors import ZooError


@pytest.mark.parametrize("options", [{}, {"use_bias": False, "activation": "relu"}])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_equals_the_layer_of_keras(size, options):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    ours = keras.Model(inputs, UpConv2D(6, size, **options)(inputs))
    theirs = keras.Model(inputs, keras.layers.Conv2DTranspose(6, size, size, **options)(inputs))
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        a.assign(b)
    np.testing.assert_allclose(array(ours(x)), array(theirs(x)), rtol=1e-5, atol=1e-6)
    gradients = [
        weight_gradients(model, lambda model=model: keras.ops.sum(model(x) ** 2))
        for model in (ours, theirs)
    ]
    for a, b in zip(*(g.values() for g in gradients), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_config():
    layer = UpConv2D(6, 2, activation="relu", name="up")
    again = UpConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.strides == again.kernel_size == (2, 2)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(restored, UpConv2D)


@pytest.mark.parametrize("name", ["strides", "padding", "output_padding", "dilation_rate"])
def test_fixed_arguments_are_refused(name):
    with pytest.raises(ZooError, match=f"{name} cannot be chosen"):
        UpConv2D(4, 2, **{name: 1})
