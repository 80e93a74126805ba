import functools
import json
import math
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.models import golden
from tests.support.helpers import array, weight_gradients
from zoo.layers import SeqConvPair2D
from zoo.models.deferred import build_without_values
from zoo.models.plainnet import plainnet
from zoo.models.seqnet import VARIANTS, seqnet

once = pytest.mark.once
GOLDEN = json.loads(golden.PATH.read_text())
OPTIONS = [
    (18, {"init": "O", "position": 2, "tie_conv2": False}),
    (50, {"init": "L", "position": 3, "tie_conv4": True, "inner_bias": True}),
    (18, {"skip": True, "inner_norm": True, "orthogonal": 0.0}),
]


def small(depth=50, **options):
    given = {"stem": "cifar", "width": 4, "input_shape": (16, 16, 3), "num_classes": 3}
    return seqnet(depth, **{**given, **options})


def images(n=4, size=16):
    return np.random.default_rng(0).normal(size=(n, size, size, 3)).astype("float32")


def pairs(model):
    return [layer for layer in model.layers if isinstance(layer, SeqConvPair2D)]


@once
@pytest.mark.parametrize(
    ("depth", "trainable"),
    [(50, 38_265_768), (101, 67_250_088), (18, 13_406_120), (34, 23_510_568)],
)
def test_parameters(depth, trainable):
    assert GOLDEN[f"seqnet{depth}"]["trainable"] == trainable


@functools.cache
def published():
    """SeqNet-50 as published, without values."""
    return build_without_values(lambda: seqnet(50))


def looked_at(depth=50, **options):
    """A small net without values."""
    return build_without_values(lambda: small(depth, **options))


@once
def test_multiply_adds_of_seqnet50():
    # 16.5 GFLOP at two per multiply-add, of which the tied convolutions have a share.
    model = published()
    macs = sum(pair.own_multiply_adds() for pair in pairs(model))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D):
            shape = layer.compute_output_shape(layer.get_build_config()["input_shape"])
            macs += shape[1] * shape[2] * math.prod(layer.kernel.shape)
    assert round(2 * macs / 1e9, 1) == 16.5


@once
def test_layers_are_those_of_the_published_program():
    model = published()
    outputs = [layer.output.shape[1:] for layer in pairs(model)]
    assert [outputs[i] for i in (0, 1, 5)] == [(56, 56, 64), (56, 56, 64), (56, 56, 128)]
    assert [outputs[i] for i in (6, 13, 14, 25, 26, 31)] == [
        (28, 28, 128),
        (28, 28, 256),
        (14, 14, 256),
        (14, 14, 512),
        (7, 7, 512),
        (7, 7, 2048),
    ]
    assert [layer.tied for layer in pairs(model)] == [True, False] * 16
    assert [layer.name for layer in pairs(model) if layer.pool] == [
        f"stage{stage}_1_pair1" for stage in (2, 3, 4)
    ]
    assert [layer.name for layer in model.layers[:4]] == [
        "image",
        "stem_conv",
        "stem_norm",
        "stem_pool",
    ]
    assert [layer.name for layer in model.layers[-5:]] == [
        "head_pool",
        "head_norm",
        "head_relu",
        "head_dense",
        "head_act",
    ]


@once
@pytest.mark.parametrize(("depth", "pairs_per_block"), [(18, 1), (34, 1), (50, 2), (101, 2)])
def test_depth(depth, pairs_per_block):
    model = looked_at(depth)
    # The name counts three layers per block of the nets that have four convolutions.
    per_block = 2 if pairs_per_block == 1 else 3
    assert len(pairs(model)) // pairs_per_block * per_block + 2 == depth
    assert model.get_layer("head_pool").output.shape[1] == (128 if depth >= 50 else 32)


@once
def test_positions_of_the_3x3_convolution():
    def sizes(position):
        model = looked_at(position=position)
        first = pairs(model)[:2]
        pooling = [pair.name for pair in pairs(model) if pair.pool]
        return [(p.expansion, p.expand_size, p.contract_size) for p in first], pooling[0]

    assert sizes(1) == ([(2, 3, 1), (4, 1, 1)], "stage2_1_pair1")
    assert sizes(2) == ([(2, 1, 3), (4, 1, 1)], "stage2_1_pair1")
    assert sizes(3) == ([(4, 1, 1), (2, 3, 1)], "stage2_1_pair2")
    assert [(p.expand_size, p.contract_size) for p in pairs(looked_at(18, position=2))] == [
        (1, 3)
    ] * 8


@once
def test_tying():
    def tied(**options):
        return [pair.tied for pair in pairs(looked_at(**options))[:6]]

    assert tied() == [True, False] * 3
    assert tied(tie_conv2=False) == [False] * 6
    # The last pair of a stage maps to another width and stays free.
    assert tied(tie_conv4=True) == [True] * 5 + [False]
    assert [pair.tied for pair in pairs(looked_at(18))] == [True, False] * 3 + [True, True]


@once
def test_skips_are_around_blocks_with_projections_where_the_shape_changes():
    model = looked_at(skip=True)
    assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == 16
    projections = [x.name for x in model.layers if x.name.endswith("_skip_conv")]
    assert projections == [
        f"stage{block}_skip_conv" for block in ("1_3", "2_1", "2_4", "3_1", "3_6", "4_1", "4_3")
    ]
    assert model.get_layer("stage2_1_skip_conv").strides == (2, 2)
    assert model.get_layer("stage2_4_skip_conv").strides == (1, 1)


@pytest.mark.parametrize(("depth", "stem"), [(18, "cifar"), (34, "imagenet"), (50, "imagenet")])
def test_features(depth, stem):
    size, first = (64, 2) if stem == "imagenet" else (20, 0)
    model = small(depth, stem=stem, features=True, input_shape=(size, size, 3))
    channels = (8, 16, 32, 128 if depth == 50 else 32)
    sides = [math.ceil(size / 2**level) for level in range(first, first + 4)]
    assert {name: tuple(x.shape) for name, x in model.output.items()} == {
        f"P{first + i}": (None, sides[i], sides[i], channels[i]) for i in range(4)
    }
    if depth == 18:
        for name, y in model(images(1, size)).items():
            assert tuple(y.shape[1:]) == model.output[name].shape[1:]


def test_any_size_and_head_options():
    model = small(18, input_shape=(None, None, 3), num_classes=0)
    y = array(model(images(2, 9)))
    assert y.shape == (2, 32)
    assert (y >= 0).all()
    assert (y == 0).any()
    logits = small(18, activation=None)
    np.testing.assert_allclose(array(small(18)(images())).sum(axis=1), 1, atol=1e-5)
    assert logits.get_layer("head_act").activation is keras.activations.linear


@pytest.mark.parametrize(("depth", "options"), OPTIONS)
def test_training_changes_every_weight(depth, options):
    model = small(depth, **options)
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    assert len(model.losses) == len(kernels)
    before = [array(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    # Two steps: a pair of "L" starts as the identity, so the next normalization takes away what
    # the scale and shift of the one before it give.
    model.fit(images(), np.arange(4) % 3, batch_size=4, epochs=2, verbose=0)
    for v, old in zip(model.trainable_variables, before, strict=True):
        change = np.abs(array(v) - old).max()
        assert 0 < change < np.inf, v.path


def first_over_last(model):
    """Norm of the gradient of the first 3x3 kernel of the body over that of the last."""
    x = images(8)
    dy = np.random.default_rng(1).normal(size=(8, model.output_shape[-1])).astype("float32")
    gradients = weight_gradients(model, lambda: ops.sum(ops.multiply(model(x, training=True), dy)))
    norms = [
        np.linalg.norm(g)
        for path, g in gradients.items()
        if path.startswith("stage") and g.shape[:2] == (3, 3)
    ]
    return norms[0] / norms[-1]


@once
def test_gradients_stay_even_where_those_of_a_plain_net_explode():
    shape = {"num_classes": 0, "width": 8, "input_shape": (16, 16, 3)}
    plain = plainnet(32, initializer="he_normal", **shape)
    assert first_over_last(plain) > 20  # as many convolutions
    assert first_over_last(small(34, **shape)) < 10


@once
def test_variants():
    assert [v.name for v in VARIANTS] == [
        "seqnet18",
        "seqnet34",
        "seqnet50",
        "seqnet101",
        "skip_seqnet50",
    ]
    for variant in VARIANTS:
        assert "%" in variant.published
        for option in variant.options:
            assert option in seqnet.__doc__


@once
@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (152, {}, "depth must be one of 18, 34, 50, 101"),
        (50, {"position": 4}, "position must be 1, 2 or 3. Received: position=4"),
        (34, {"position": 3}, "position must be 1 or 2"),
        (18, {"tie_conv4": True}, "no fourth convolution"),
        (50, {"init": "X"}, "one of 'R', 'O', 'L'"),
        (50, {"stem": "usps"}, "stem must be one of 'imagenet', 'cifar'"),
        (50, {"input_shape": (31, 40, 3)}, "at least 32"),
        (50, {"input_shape": (7, 8, 3), "stem": "cifar"}, "at least 8"),
        (50, {"input_shape": (64,)}, "(H, W, C)"),
    ],
)
def test_bad_input(depth, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        seqnet(depth, **options)
