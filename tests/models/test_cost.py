import keras
import pytest

import zoo
from zoo.models.cost import multiply_adds, weight_layers


def test_a_net_counted_by_hand():
    model = zoo.create("plainnet20", input_shape=(16, 12, 3), width=2, num_classes=5)
    first = 9 * 16 * 12 * 3 * 2
    stage1 = 6 * 9 * 16 * 12 * 2 * 2
    stage2 = 9 * 8 * 6 * (2 * 4 + 5 * 4 * 4)
    stage3 = 9 * 4 * 3 * (4 * 8 + 5 * 8 * 8)
    assert multiply_adds(model) == first + stage1 + stage2 + stage3 + 8 * 5
    assert weight_layers(model) == 20


def test_dense_layers():
    model = zoo.create("maxnorm_mlp3", input_shape=(5, 4, 1), units=7, num_classes=2)
    assert multiply_adds(model) == 20 * 7 + 2 * 7 * 7 + 7 * 2
    assert weight_layers(model) == 4


def test_an_open_size_has_no_cost():
    model = zoo.create("plainnet20", input_shape=(None, None, 3), width=2)
    with pytest.raises(ValueError, match="fixed"):
        multiply_adds(model)


def test_layers_without_kernels_are_free():
    inputs = keras.Input((4, 4, 3))
    assert multiply_adds(keras.Model(inputs, keras.layers.ReLU()(inputs))) == 0
