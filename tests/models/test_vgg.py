import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ZooError
from zoo.models.deferred import build_without_values

SMALL = {"width": 2, "units": 6, "num_classes": 3}


def build(**options):
    return build_without_values(lambda: zoo.create("vgg19_bn", **SMALL | options))


def test_size_is_that_of_torchvision():
    model = build_without_values(lambda: zoo.create("vgg19_bn"))
    assert sum(v._value is None for v in model.variables) == len(model.variables)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 143_678_248


def test_stages():
    model = build(input_shape=(64, 32, 3))
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convs] == 2 * [2] + 2 * [4] + 4 * [8] + 8 * [16]
    assert all(layer.use_bias and layer.kernel_size == (3, 3) for layer in convs)
    assert model.get_layer("stage3_1_conv").output.shape == (None, 16, 8, 8)
    assert model.get_layer("head_flatten").output.shape == (None, 2 * 16)
    order = [layer.name for layer in model.layers]
    assert order[1:4] == ["stage1_1_conv", "stage1_1_norm", "stage1_1_act"]
    assert order[-8:] == [
        *("hidden1_dense", "hidden1_act", "hidden1_drop"),
        *("hidden2_dense", "hidden2_act", "hidden2_drop", "head_dense", "head_act"),
    ]


def test_dropout():
    for options, rate in (({}, 0.5), ({"dropout": 0}, 0)):
        model = build(input_shape=(32, 32, 3), **options)
        assert [model.get_layer(f"hidden{i}_drop").rate for i in (1, 2)] == [rate, rate]


def test_features_of_any_size():
    body = build(input_shape=(None, None, 3), features=True)
    assert body.compute_output_shape((1, 70, 33, 3)) == {
        "P1": (1, 35, 16, 2),
        "P2": (1, 17, 8, 4),
        "P3": (1, 8, 4, 8),
        "P4": (1, 4, 2, 16),
        "P5": (1, 2, 1, 16),
    }
    assert not any("dense" in v.path for v in body.weights)


def test_no_classes_gives_the_last_hidden_layer():
    assert build(input_shape=(32, 32, 3), num_classes=0).output_shape == (None, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (31, 64, 3)}, "at least 32"),
        ({"input_shape": (None, 64, 3)}, "input_shape given in full, or features=True"),
        ({"dropout": 1}, "dropout must be a number from 0 to 0.999"),
        ({"norm": "none"}, "Unknown argument of vgg19_bn: 'norm'"),
        ({"orthonormal": 1e-4}, "exclude each other"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ZooError) as caught:
        zoo.create("vgg19_bn", **options)
    assert message in str(caught.value)
