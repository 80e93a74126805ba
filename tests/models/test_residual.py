import json
import math

import keras
import numpy as np
import pytest

import zoo
from tests.models import golden
from tests.support.helpers import array
from zoo.errors import ZooError
from zoo.layers import ResidualBlock, ResidualStage
from zoo.models.deferred import build_without_values
from zoo.models.large_resnet import large_resnet
from zoo.models.small_resnet import small_resnet

GOLDEN = json.loads(golden.PATH.read_text())
# Trainable parameters of torchvision's networks.
TORCHVISION = {18: 11689512, 34: 21797672, 50: 25557032, 101: 44549160, 152: 60192808}


def variables(name, **options):
    model = build_without_values(lambda: zoo.create(name, **options))
    return {v.path: tuple(v.shape) for v in model.weights}


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("depth", "count"), TORCHVISION.items())
def test_parameters_are_those_of_torchvision(depth, count):
    assert GOLDEN[f"resnet{depth}"]["trainable"] == count


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (56, 0.85), (110, 1.7), (1202, 19.4)])
def test_parameters_of_small_ones_are_those_of_the_paper(depth, millions):
    """He et al., table 6."""
    assert abs(GOLDEN[f"resnet{depth}"]["trainable"] / 1e6 - millions) < 0.05


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
def test_last_bn_differs_by_exactly_one_layer(name):
    plain, last = variables(name), variables(f"{name}_lastbn")
    assert plain.items() < last.items()
    channels = {"resnet20": 64, "resnet18": 512}[name]
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    assert last.items() - plain.items() == {(f"head_norm/{part}", (channels,)) for part in parts}
    model = zoo.create(f"{name}_lastbn", width=2, input_shape=(32, 32, 3))
    assert model.get_layer("head_norm").input is model.get_layer("head_pool").output


def test_preresnets_differ_by_exactly_the_stated_layers():
    post, pre, v1 = (variables(n) for n in ("resnet20", "preresnet20", "preresnet20_v1"))
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    assert v1.items() < pre.items()
    assert pre.keys() - v1.keys() == {f"final_norm/{part}" for part in parts}
    # The very first block has no norm in front: the stem ends with one.
    assert post.keys() - v1.keys() == {f"stage1/block1/norm1/{part}" for part in parts}
    assert v1.keys() < post.keys()
    # The norm of a block comes before its convolution, so it has the channels that come in.
    assert pre["stage2/block1/norm1/gamma"] == (16,)
    assert post["stage2/block1/norm1/gamma"] == (32,)


def test_first_block_of_a_stage_activates_before_the_split():
    """With pre-activation the shortcut sees BN-ReLU of x there, and x itself elsewhere."""
    x = images(2, 4, 4, 3)
    for order, expected in (("pre", x), ("pre_shared", np.maximum(x / math.sqrt(1 + 1e-5), 0))):
        block = ResidualBlock(3, order=order)
        block.build(x.shape)
        for v in block.variables:
            if v.path.endswith("kernel"):
                v.assign(np.zeros(v.shape))
        np.testing.assert_allclose(array(block(x)), expected, atol=1e-5)


def test_crelu_doubles_the_channels_inside_a_block_only():
    plain, crelu = variables("resnet20"), variables("crelu_resnet20")
    assert plain.keys() == crelu.keys()
    for path, shape in plain.items():
        if path.endswith("conv2/kernel"):
            assert crelu[path] == (*shape[:2], 2 * shape[2], shape[3])
        else:
            assert crelu[path] == shape
    # In a bottleneck, behind the first two convolutions.
    plain, crelu = variables("resnet50"), variables("crelu_resnet50")
    for path, shape in plain.items():
        doubled = path.endswith(("conv2/kernel", "conv3/kernel"))
        assert crelu[path] == ((*shape[:2], 2 * shape[2], shape[3]) if doubled else shape)


def test_shortcut_a_takes_every_second_pixel_and_pads_channels():
    x = np.abs(images(2, 5, 6, 3))
    block = ResidualBlock(5, strides=2, shortcut="identity_pad")
    block.build(x.shape)
    for v in block.variables:
        if v.path.endswith("kernel"):
            v.assign(np.zeros(v.shape))
    y = array(block(x))
    assert y.shape == (2, 3, 3, 5)
    np.testing.assert_array_equal(y[..., :3], x[:, ::2, ::2])
    assert (y[..., 3:] == 0).all()


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_block_whose_last_gamma_is_zero_is_its_shortcut(bottleneck):
    x = np.abs(images(2, 4, 4, 8))
    block = ResidualBlock(2 if bottleneck else 8, bottleneck=bottleneck)
    block.build(x.shape)
    last = 3 if bottleneck else 2
    next(v for v in block.variables if v.path.endswith(f"norm{last}/gamma")).assign(np.zeros(8))
    np.testing.assert_allclose(array(block(x, training=True)), x, atol=1e-6)


@pytest.mark.parametrize(
    ("shortcut", "shapes"),
    [
        ("identity_pad", []),
        ("projection", [(1, 1, 3, 6)]),
        ("projection3x3", [(3, 3, 3, 6)]),
        ("none", []),
    ],
)
def test_shortcuts(shortcut, shapes):
    block = ResidualBlock(6, strides=2, shortcut=shortcut)
    block.build((None, 8, 8, 3))
    found = [tuple(v.shape) for v in block.variables if v.path.endswith("shortcut_conv/kernel")]
    assert found == shapes
    same = ResidualBlock(3, shortcut=shortcut)
    same.build((None, 8, 8, 3))
    assert not [v for v in same.variables if "shortcut" in v.path]


def test_a_plain_net_is_the_residual_net_without_its_shortcuts():
    resnet, plain = variables("resnet50"), variables("plainnet50")
    assert plain.items() < resnet.items()
    assert all("shortcut" in path for path in resnet.keys() - plain.keys())
    x = images(2, 4, 4, 3)
    block = ResidualBlock(3, shortcut="none")
    block.build(x.shape)
    for v in block.variables:
        if v.path.endswith("kernel"):
            v.assign(np.zeros(v.shape))
    assert (array(block(x)) == 0).all()


def test_normprop_keeps_batch_norm_where_the_resolution_drops():
    paths = variables("normprop_resnet20")
    norms = {p.rpartition("/")[0] for p in paths if p.endswith("moving_mean")}
    assert norms == {"stage2/block1/shortcut_norm", "stage3/block1/shortcut_norm"}
    assert paths["stage1/block1/conv1/gamma"] == (16,)
    assert not [p for p in variables("normprop_resnet20", norm="normprop3") if "conv1/gamma" in p]
    assert not [p for p in variables("normprop_resnet20", use_bias=False) if "conv1/bias" in p]


def test_options_of_large_nets():
    paths = variables("resnet34", final_conv=1024)
    assert paths["final_conv/kernel"] == (3, 3, 512, 1024)
    assert paths["head_dense/kernel"] == (1024, 1000)
    model = zoo.create("resnet18_lastbn", dropout=0.3, width=2, stem="cifar", input_shape=(8, 8, 3))
    assert model.get_layer("head_drop").rate == 0.3
    assert model.get_layer("head_drop").input is model.get_layer("head_norm").output
    assert model.get_layer("stage1").input.shape == (None, 8, 8, 2)


def test_stage_from_its_config():
    stage = ResidualStage(4, 3, 2, order="pre", first="pre_shared", shortcut="projection")
    again = keras.layers.deserialize(keras.layers.serialize(stage))
    stage.build((None, 8, 8, 2))
    again.build((None, 8, 8, 2))
    assert [tuple(v.shape) for v in again.variables] == [tuple(v.shape) for v in stage.variables]
    assert stage.compute_output_shape((None, 7, None, 2)) == (None, 4, None, 4)
    again.set_weights(stage.get_weights())
    x = images(2, 8, 8, 2)
    np.testing.assert_allclose(array(again(x)), array(stage(x)), atol=1e-6)


@pytest.mark.parametrize("depth", [2, 7, 21, 1200])
def test_small_depths(depth):
    with pytest.raises(ZooError, match=r"depth must be 6n \+ 2"):
        small_resnet(depth)


def test_large_depths():
    with pytest.raises(ZooError, match="depth must be one of 18, 34, 50, 101, 152"):
        large_resnet(20)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet21", {}, "Did you mean 'resnet"),
        ("resnet20", {"input_shape": (3, 32, 3)}, "at least 4"),
        ("resnet18", {"input_shape": (31, 32, 3)}, "at least 32"),
        ("resnet18", {"stem": "vgg"}, "one of 'imagenet', 'cifar'"),
        ("resnet20", {"stem": "cifar"}, "Unknown argument of resnet20: 'stem'"),
        ("resnet20", {"shortcut": "B"}, "one of 'identity_pad'"),
        ("resnet50", {"shortcut": "identity_pad", "num_classes": -1}, "num_classes"),
        ("plainnet50", {"shortcut": "projection"}, "Unknown argument of plainnet50: 'shortcut'"),
        ("crelu_resnet20", {"nonlinearity": "relu"}, "Unknown argument of crelu_resnet20"),
        ("normprop_resnet20", {"norm": "layernorm"}, "norm must be one of"),
        ("resnet18", {"dropout": 1}, "dropout must be a number from 0 to 0.999"),
        ("resnet18", {"width": 0}, "width must be an integer from 1"),
    ],
)
def test_bad_arguments(name, options, message):
    with pytest.raises(ZooError) as caught:
        zoo.create(name, **options)
    assert message in str(caught.value)


def test_bad_blocks():
    with pytest.raises(ZooError, match="order must be one of"):
        ResidualBlock(3, order="last")
    with pytest.raises(ZooError, match="cannot drop any"):
        ResidualBlock(2).build((None, 4, 4, 3))
    with pytest.raises(ZooError, match="blocks must be an integer of at least 1"):
        ResidualStage(3, 0)


def test_group_normalization_in_place_of_batch_normalization():
    options = {"input_shape": (32, 32, 3), "width": 32, "num_classes": 3}
    batch, group = (zoo.create("resnet50", norm=n, **options) for n in ("batchnorm", "groupnorm"))
    layers = [type(layer).__name__ for layer in group._flatten_layers()]
    assert "BatchNormalization" not in layers
    assert layers.count("GroupNormalization") == 53
    # The same network but for the moving statistics, of a mean and a variance per filter.
    trainable = {v.path: tuple(v.shape) for v in batch.trainable_variables}
    assert {v.path: tuple(v.shape) for v in group.weights} == trainable
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    alone = array(group(x[:1], training=True))  # no image knows of the others
    np.testing.assert_allclose(array(group(x))[:1], alone, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
def test_last_gamma(name):
    options = {"width": 4, "input_shape": (32, 32, 3), "num_classes": 3}
    model = zoo.create(name, last_gamma=0.0, **options)
    gammas = {v.path: array(v) for v in model.weights if v.path.endswith("gamma")}
    last = {path for path in gammas if path.endswith("norm2/gamma")}
    assert len(last) in (8, 9)
    for path, gamma in gammas.items():
        np.testing.assert_array_equal(gamma, 0 if path in last else 1, err_msg=path)
    with pytest.raises(ZooError, match="last_gamma needs order='post'"):
        zoo.create("preresnet20", last_gamma=0.0, **options)


def test_max_norm_is_for_hidden_units():
    model = zoo.create("maxnorm_mlp3")
    assert model.get_layer("hidden1_dense").kernel_constraint.max_value == 3
    assert model.get_layer("head_dense").kernel_constraint is None


@pytest.mark.parametrize("name", ["seqnet18", "seqnet34"])
def test_orthogonality_of_tied_pairs(name):
    """Every pair's matrix is held, where the program's rule leaves those of the 3x3 kernels out."""
    options = {"weight_decay": 0.0, "width": 4, "input_shape": (32, 32, 3), "stem": "cifar"}
    pairs = zoo.create(name, **options)
    pointwise = zoo.create(name, orthogonal_on="pointwise", **options)
    assert len(pairs.losses) > 3 >= len(pointwise.losses)
    assert zoo.registry.find("seqnet50").options["orthogonal_on"] == "pointwise"
