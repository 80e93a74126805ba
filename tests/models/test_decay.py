"""What weight decay acts on."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array

pytestmark = pytest.mark.once

SMALL = {"num_classes": 5, "input_shape": (32, 32, 3), "width": 4}
NETS = {
    "seqnet50": {"stem": "cifar"},
    "seqnet18": {"stem": "cifar", "inner_bias": True, "inner_norm": True},
    "normprop_resnet20": {"norm": "normprop2"},
    "resnet20_lastbn": {"use_bias": True},
    "resnet18": {"stem": "cifar", "norm": "groupnorm", "width": 32},
    "plainnet20": {"orthonormal": 0.0, "nonlinearity": "prelu"},
    "vgg19_bn": {"units": 8},
}


def decayed(model):
    return [v for v in model.trainable_variables if v.regularizer is not None]


@pytest.mark.parametrize("name", NETS)
def test_every_trainable_weight_decays(name):
    model = zoo.create(name, decay="all", weight_decay=0.2, **SMALL | NETS[name])
    assert decayed(model) == model.trainable_variables


@pytest.mark.parametrize("name", ["mlp4_24", "maxnorm_mlp3"])
def test_dense_nets_decay_too(name):
    model = zoo.create(name, input_shape=(8,), decay="all", weight_decay=0.2)
    assert decayed(model) == model.trainable_variables


@pytest.mark.parametrize(("decay", "count"), [("kernels", 50), ("all", 119)])
def test_seqnet50(decay, count):
    """The paper's program decays all 119 variables; by default the 50 kernels do."""
    model = zoo.create(
        "seqnet50", stem="cifar", orthogonal=0.0, weight_decay=0.2, decay=decay, **SMALL
    )
    for variable in model.trainable_variables:  # the zeros of a fresh net would hide a mistake
        variable.assign(np.full(variable.shape, 0.5, "float32"))
    assert len(decayed(model)) == count
    assert len(model.trainable_variables) == 119
    squares = sum(np.square(array(v)).sum(dtype="float64") for v in decayed(model))
    assert sum(float(array(x)) for x in model.losses) == pytest.approx(0.1 * squares, rel=1e-4)


def test_a_clone_decays_alike():
    model = zoo.create("resnet20_lastbn", decay="all", **SMALL)
    assert len(decayed(keras.models.clone_model(model))) == len(model.trainable_variables)


def test_paths_are_the_same():
    paths = [
        [v.path for v in zoo.create("seqnet18", stem="cifar", decay=decay, **SMALL).variables]
        for decay in ("kernels", "all")
    ]
    assert paths[0] == paths[1]


def test_another_word_is_refused():
    with pytest.raises(zoo.errors.ZooError, match="decay must be one of 'kernels', 'all'"):
        zoo.create("resnet20", decay="biases")
    with pytest.raises(zoo.errors.ZooError, match="decay must be one of"):
        zoo.layers.SeqDensePair(decay="biases")
