"""What holds for every architecture. A new family needs a line in SMALL; the rest follows."""

import math

import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array, run_python
from zoo import registry
from zoo.errors import ZooError
from zoo.layers import LayerFactory

# The published weights of table I of [O], in millions, at what they were counted for.
TABLE_1 = {3: 0.50, 5: 0.68, 10: 1.13, 15: 1.59, 20: 2.04, 40: 3.86, 50: 4.78}

# A small net of every family: name, options, shape of an image.
SMALL = [
    ("plainnet20", {"width": 4}, (12, 10, 3)),
    ("maxnorm_plainnet50", {}, (8, 8, 3)),
    ("maxnorm_mlp3", {"units": 16}, (5, 4, 1)),
    ("seqnet18", {"stem": "cifar", "width": 4}, (9, 8, 3)),
    ("resnet20_lastbn", {"width": 4}, (9, 8, 3)),
    ("preresnet20", {"width": 4}, (8, 8, 3)),
    ("crelu_resnet20", {"width": 4}, (8, 8, 3)),
    # The first version of NormProp explodes in a residual net, as the paper says.
    ("normprop_resnet20", {"width": 4, "norm": "normprop2"}, (8, 8, 3)),
    ("resnet50", {"width": 2, "stem": "cifar"}, (8, 9, 3)),
    ("plainnet18", {"width": 2}, (33, 32, 3)),
    ("vgg19_bn", {"width": 2}, (32, 32, 3)),
    ("plain_mlp20", {"units": 16}, (5, 4, 1)),
]
SMALL_IDS = [name for name, _, _ in SMALL]
for_each_family = pytest.mark.parametrize(("name", "options", "shape"), SMALL, ids=SMALL_IDS)


def small(name, options, shape, **more):
    return zoo.create(name, input_shape=shape, num_classes=4, **options, **more)


def images(shape, n=8):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype("float32")


def trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def test_every_family_is_among_the_small_ones():
    known = registry.variants("classification")
    assert {known[name].family for name, _, _ in SMALL} == {v.family for v in known.values()}


@for_each_family
def test_small_models_run(name, options, shape):
    model = small(name, options, shape)
    assert model.name == name
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    y = array(model(images(shape, n=2)))
    assert y.shape == (2, 4)
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-5)


@for_each_family
def test_features(name, options, shape):
    if "features" not in registry.find(name).options:
        pytest.skip("no image model")
    model = small(name, options, shape)
    body = small(name, options, shape, features=True)
    paths = [v.path for v in body.weights]
    assert set(paths) < {v.path for v in model.weights}
    for v in body.weights:
        v.assign(next(w for w in model.weights if w.path == v.path).value)
    maps = body(images(shape, n=2))
    for level, x in maps.items():
        stride = 2 ** int(level.removeprefix("P"))
        assert abs(x.shape[1] - shape[0] / stride) <= 1
        assert abs(x.shape[2] - shape[1] / stride) <= 1
    # Any size will do where none is given.
    free = small(name, options, (None, None, shape[-1]), features=True)
    assert [v.path for v in free.weights] == paths
    for v, w in zip(free.weights, body.weights, strict=True):
        v.assign(w.value)
    for level, x in free(images(shape, n=2)).items():
        np.testing.assert_allclose(array(x), array(maps[level]), atol=1e-5)


@pytest.mark.parametrize(("depth", "millions"), TABLE_1.items())
def test_mlp_weights_are_those_of_table_1(depth, millions):
    model = zoo.create(f"maxnorm_mlp{depth}", input_shape=(32, 32, 1), num_classes=20)
    # The last row prints 4.78 where the count gives 4.768.
    assert abs(trainable(model) / 1e6 - millions) < (0.0125 if depth == 50 else 0.005)


def test_plainnet50_weights_are_the_published_ones():
    assert round(trainable(zoo.create("maxnorm_plainnet50")) / 1e6, 2) == 0.72


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_plainnet_depth_and_strides(depth):
    model = zoo.create(f"plainnet{depth}", width=2)
    weighted = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]
    assert len(weighted) == depth
    assert [layer.name for layer in weighted if getattr(layer, "strides", (1,))[0] == 2] == [
        "stage2_1_conv",
        "stage3_1_conv",
    ]
    assert model.get_layer("head_pool").input.shape == (None, 8, 8, 8)


def test_maxnorm_plainnet50_has_the_maps_of_table_a1():
    model = zoo.create("maxnorm_plainnet50")
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convs) == 50
    assert [model.get_layer(f"stage{s}_1_conv").output.shape[1] for s in (1, 2, 3)] == [32, 16, 7]


def test_strided_convolution_pads_like_the_published_code():
    # One on each side: output 0 sees input -1..1. Keras's "same" would see 0..2.
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, LayerFactory(norm="none").conv(1, 3, "c", strides=2)(inputs))
    corner = np.zeros((3, 3, 1, 1), "float32")
    corner[0, 0] = 1  # picks the pixel up and left of the centre
    model.get_layer("c").set_weights([corner, np.zeros(1, "float32")])
    image = np.arange(36, dtype="float32").reshape(1, 6, 6, 1)
    expected = np.zeros((3, 3))
    expected[1:, 1:] = image[0, 1:5:2, 1:5:2, 0]
    np.testing.assert_array_equal(array(model(image))[0, ..., 0], expected)


@pytest.mark.parametrize(("name", "options", "shape"), SMALL[:3], ids=SMALL_IDS[:3])
def test_initial_kernels(name, options, shape):
    model = small(name, options, shape)
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        w = array(layer.kernel).reshape(-1, layer.kernel.shape[-1])
        if name.startswith("plainnet"):
            for start in range(0, w.shape[1], w.shape[0]):
                part = w[:, start : start + w.shape[0]]
                np.testing.assert_allclose(part.T @ part, np.eye(part.shape[1]), atol=1e-5)
        else:  # He uniform
            assert np.abs(w).max() <= math.sqrt(6 / w.shape[0])


@for_each_family
def test_one_fit_step_reaches_every_weight_and_keeps_the_bound(name, options, shape):
    model = small(name, options, shape)
    regularized = [v for v in model.trainable_variables if v.regularizer is not None]
    assert len(model.losses) == len(regularized)
    before = {v.path: array(v) for v in model.variables}
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(images(shape), np.arange(8) % 4, batch_size=8, verbose=0)
    for v in model.weights:
        # Batch norm takes away what a bias before it adds: its gradient is rounding.
        if not (v.path.endswith(("_dense/bias", "_conv/bias")) and "head" not in v.path):
            assert np.abs(array(v) - before[v.path]).max() > 0, v.path
    if name.startswith("maxnorm"):
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                w = array(layer.kernel).reshape(-1, layer.kernel.shape[-1])
                assert np.linalg.norm(w, axis=0).max() <= 3 * (1 + 1e-5)


def test_save_and_load_in_a_fresh_process(tmp_path):
    losses = {}
    for name, options, shape in SMALL:
        model = small(name, options, shape)
        x = images(shape)
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", x=x, y=array(model(x)))
        losses[name] = len(model.losses)
    result = run_python(
        "import sys, pathlib, keras, zoo, numpy as np\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.keras')):\n"
        "    model = keras.saving.load_model(path)\n"
        "    io = np.load(path.with_suffix('.npz'))\n"
        "    y = keras.ops.convert_to_numpy(model(io['x'], training=False))\n"
        "    np.testing.assert_allclose(y, io['y'], atol=1e-5)\n"
        "    print(path.stem, len(model.losses))\n",
        str(tmp_path),
    )
    assert result.stdout.splitlines() == [f"{n} {losses[n]}" for n in sorted(losses)], result.stderr


@for_each_family
def test_clone_and_mixed_precision(name, options, shape):
    model = small(name, options, shape, activation=None)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = images(shape)
    logits = array(model(x))
    scale = np.abs(logits).max()
    np.testing.assert_allclose(array(clone(x)), logits, atol=1e-6 * scale)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = small(name, options, shape, activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {v.dtype for v in half.weights} == {"float32"}
    assert half.get_layer("head_act").compute_dtype == "float32"
    half.set_weights(model.get_weights())
    np.testing.assert_allclose(array(half(x)), logits, atol=0.1 * scale)


def test_head_options():
    logits = zoo.create("maxnorm_mlp3", activation=None)
    softmax = zoo.create("maxnorm_mlp3")
    softmax.set_weights(logits.get_weights())
    x = images((16, 16, 1))
    e = np.exp(array(logits(x)))
    np.testing.assert_allclose(array(softmax(x)), e / e.sum(axis=1, keepdims=True), atol=1e-5)
    assert zoo.create("maxnorm_mlp3", num_classes=0).output_shape == (None, 300)
    assert zoo.create("plainnet20", num_classes=0).output_shape == (None, 64)


def test_ablations_of_table_2():
    naive = zoo.create("maxnorm_mlp5", norm="none", nonlinearity="relu", max_norm=None)
    assert not any("norm" in layer.name for layer in naive.layers)
    assert naive.get_layer("hidden1_dense").kernel_constraint is None
    assert isinstance(naive.get_layer("hidden1_act"), keras.layers.ReLU)
    full = zoo.create("maxnorm_mlp5")
    assert full.get_layer("hidden1_act").negative_slope == pytest.approx(0.3)
    assert full.get_layer("hidden1_norm").momentum == 0.9
    assert full.get_layer("hidden1_norm").epsilon == 1e-5


def test_weight_decay_has_the_gradient_of_its_name():
    model = zoo.create("maxnorm_mlp3", weight_decay=0.2)
    total = sum(array(loss) for loss in model.losses)
    squares = sum((array(x.kernel) ** 2).sum() for x in model.layers if hasattr(x, "kernel"))
    np.testing.assert_allclose(total, 0.1 * squares, rtol=1e-5)


def test_list_models():
    depths = (20, 32, 44, 56, 110, 18, 34, 50, 101)
    assert zoo.list_models("plainnet*") == [f"plainnet{d}" for d in depths]
    assert zoo.list_models("maxnorm*50") == ["maxnorm_plainnet50", "maxnorm_mlp50"]
    assert zoo.list_models("resnext*") == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("planenet20", {}, "Did you mean 'plainnet20'"),
        ("plainnet21", {}, "Did you mean 'plainnet"),
        (None, {}, "Unknown model: None"),
        ("plainnet20", {"widht": 4}, "Did you mean 'width'"),
        ("plainnet20", {"depth": 44}, "Unknown argument of plainnet20: 'depth'"),
        ("plainnet20", {"width": 0}, "width must be an integer from 1 to 4096"),
        ("plainnet20", {"width": True}, "width must be an integer"),
        ("plainnet20", {"width": "4"}, "width must be an integer"),
        ("plainnet20", {"num_classes": -1}, "num_classes must be an integer from 0"),
        ("plainnet20", {"input_shape": (3, 3, 3)}, "at least 4"),
        ("plainnet20", {"input_shape": (32, 32)}, "input_shape must be"),
        ("plainnet20", {"input_shape": "32"}, "input_shape must be a tuple"),
        ("plainnet20", {"weight_decay": 1e-4}, "exclude each other"),
        ("plainnet20", {"orthonormal": float("nan")}, "orthonormal must be a number"),
        ("plainnet20", {"nonlinearity": "swish"}, "one of 'relu', 'crelu'"),
        ("plainnet20", {"activation": "relu"}, "one of 'softmax', 'sigmoid', None"),
        ("maxnorm_plainnet50", {"input_shape": (5, 32, 3)}, "at least 6"),
        ("maxnorm_mlp3", {"max_norm": 0}, "max_norm must be a number"),
        ("maxnorm_mlp3", {"input_shape": ()}, "1 to 3 integers"),
        ("maxnorm_mlp3", {"input_shape": (None, None, 1)}, "must be given in full"),
        ("maxnorm_mlp3", {"norm": "normprop"}, "norm must be one of 'batchnorm', 'none'"),
    ],
)
def test_bad_arguments_name_what_is_allowed(name, options, message):
    with pytest.raises(ZooError) as caught:
        zoo.create(name, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("depth", [2, 7, 21])
def test_plainnet_refuses_depths_that_do_not_fit(depth):
    from zoo.models.plainnet import plainnet

    with pytest.raises(ZooError, match="depth must be 6n"):
        plainnet(depth)


def test_every_variant_documents_its_paper_and_options():
    for variant in registry.variants("classification").values():
        assert variant.paper
        for option in variant.options:
            assert option in variant.family.__doc__
