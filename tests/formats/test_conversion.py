"""PyTorch's networks and the zoo's are the same functions, forward and backward."""

import copy

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from tests.support.helpers import array, weight_gradients
from zoo.errors import CheckpointError, ZooError
from zoo.models.deferred import build_without_values
from zoo.registry import find, variants

torch = pytest.importorskip("torch")
from tests.support import torch_nets  # noqa: E402

SMALL = {"width": 4, "num_classes": 5}

# architecture, PyTorch's network, side of the images, options of the zoo.
CASES = {
    "seqnet50": (lambda: torch_nets.SeqNet(50, **SMALL), 48, {}),
    "seqnet50 with inner bias": (
        lambda: torch_nets.SeqNet(50, stem="cifar", inner_bias=True, **SMALL),
        16,
        {"stem": "cifar"},
    ),
    "seqnet50 with inner norm": (
        lambda: torch_nets.SeqNet(50, stem="cifar", inner_norm=True, **SMALL),
        16,
        {"stem": "cifar"},
    ),
    "resnet18": (lambda: torch_nets.ResNet(18, **SMALL), 40, {}),
    "resnet50": (
        lambda: torch_nets.ResNet(50, stem="cifar", **SMALL),
        16,
        {"stem": "cifar"},
    ),
    "vgg19_bn": (
        lambda: torch_nets.VGG(units=12, pixels=64, dropout=0.0, **SMALL),
        64,
        {"units": 12, "dropout": 0.0},
    ),
}


def converted(case: str, state, **more):
    pixels, options = CASES[case][1:]
    return zoo.convert(
        state,
        case.split()[0],
        width=4,
        input_shape=(pixels, pixels, 3),
        activation=None,
        **options,
        **more,
    )


@pytest.fixture(scope="module", params=CASES)
def pair(request, tmp_path_factory):
    """(case, PyTorch's net, the zoo's model of its file, images)."""
    make, pixels, _ = CASES[request.param]
    x = np.random.default_rng(0).normal(size=(8, pixels, pixels, 3)).astype("float32")
    net = torch_nets.randomize(make(), as_torch(x))
    path = tmp_path_factory.mktemp("checkpoint") / "net.t7"
    torch.save({"epoch": 3, "state_dict": torch.nn.DataParallel(net).state_dict()}, path)
    return request.param, net, converted(request.param, path), x


def as_torch(x):
    return torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def test_the_same_outputs(pair):
    _, net, model, x = pair
    with torch.no_grad():
        expected = net.eval()(as_torch(x)).numpy()
    scale = expected.std(axis=0).max()  # of what the images make of it
    assert scale > 0.1
    np.testing.assert_allclose(array(model(x)), expected, rtol=0, atol=3e-4 * scale)


def gradient_errors(case, net, model, x) -> np.ndarray:
    """Of every tensor's gradient in training mode, relative to what PyTorch has in float64."""
    weights = np.random.default_rng(1).normal(size=(8, 5)).astype("float32")
    before = model.get_weights()
    gradients = weight_gradients(
        model, lambda: ops.sum(ops.multiply(model(x, training=True), weights))
    )
    model.set_weights(before)  # the moving statistics of the shared model
    net = copy.deepcopy(net).train().double()
    (net(as_torch(x).double()) * torch.tensor(weights)).sum().backward()
    # The gradients, laid out as the zoo has its weights.
    state = {name: torch.zeros_like(value) for name, value in net.state_dict().items()}
    state |= {name: p.grad for name, p in net.named_parameters()}
    expected = {v.path: array(v) for v in converted(case, state).trainable_variables}
    assert gradients.keys() == expected.keys()
    sizes = {path: np.linalg.norm(value) for path, value in expected.items()}
    # What a batch normalization takes away again has no gradient, but rounding.
    least = 1e-3 * np.median(list(sizes.values()))
    return np.array(
        [
            np.linalg.norm(gradients[path] - expected[path]) / max(sizes[path], least)
            for path in expected
        ]
    )


def test_the_same_gradients_in_training_mode(pair):
    """A ReLU that rounding switches is a jump of the gradient, of most tensors at once: on some
    machines, for some images. What is not the same is so for all images."""
    case, net, model, x = pair
    batches = [x, *np.random.default_rng(2).normal(size=(5, *x.shape)).astype("float32")]
    found = []
    for batch in batches:
        found.append(gradient_errors(case, net, model, batch))
        # A tensor in another's place would be 1.4 away.
        if max(found[-1]) < 0.1 and np.median(found[-1]) < 0.001:
            return
    pytest.fail(f"largest errors {[max(e) for e in found]}, medians {[*map(np.median, found)]}")


# -- what a file must hold


@pytest.fixture(scope="module")
def state():
    """A state dict of a small resnet18, as arrays."""
    net = torch_nets.ResNet(18, width=2, num_classes=3)
    return {name: value.numpy() for name, value in net.state_dict().items()}


def convert18(state, **options):
    return zoo.convert(state, "resnet18", width=2, input_shape=(32, 32, 3), **options)


PUBLISHED = {
    "seqnet50": (torch_nets.SeqNet, 50),
    "seqnet101": (torch_nets.SeqNet, 101),
    **{f"resnet{depth}": (torch_nets.ResNet, depth) for depth in (18, 34, 50, 101, 152)},
    "vgg19_bn": (lambda _: torch_nets.VGG(), None),
}


@pytest.mark.parametrize("architecture", [v.name for v in variants().values() if v.torch])
def test_published_sizes(architecture):
    net, depth = PUBLISHED[architecture]
    with torch.device("meta"):
        tensors = net(depth).state_dict()
    model = build_without_values(lambda: zoo.create(architecture))
    names = find(architecture).torch
    shapes = {names.tensor(v.path): sorted(v.shape) for v in model.weights}
    assert len(shapes) == len(model.weights)
    assert shapes == {
        name: sorted(value.shape)
        for name, value in tensors.items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("wrap", ["state_dict", "model", None])
def test_what_lies_around_the_tensors(state, wrap):
    inner = {f"module.{name}": value for name, value in state.items()}
    model = convert18({"epoch": 3, wrap: inner} if wrap else inner)
    assert model.name == "resnet18"
    assert model.output_shape == (None, 3)
    np.testing.assert_array_equal(array(model.get_layer("head_dense").kernel), state["fc.weight"].T)


def test_photos_are_prepared_for_it(state):
    model = convert18(state)
    how = model.zoo_preprocess
    pixels = model.input_shape[1]
    assert (how.size, how.resize) == ((pixels, pixels), round(pixels * 256 / 224))
    photo = np.full((40, 50, 3), (123.7, 116.3, 103.5), "float32")
    x = zoo.preprocess(model, photo)
    assert x.shape == (1, *model.input_shape[1:])
    np.testing.assert_allclose(x, 0, atol=1e-5)


def test_regularizers_are_live_and_weights_trainable(state):
    model = convert18(state, weight_decay=1e-4, activation="sigmoid")
    assert model.get_layer("head_act").activation is keras.activations.sigmoid
    assert len(model.losses) == sum(v.path.endswith("kernel") for v in model.weights)
    assert len(model.trainable_variables) == sum(
        not name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in state
    )


def test_no_initializer_runs(state, monkeypatch):
    def never(*_, **__):
        raise AssertionError("an initializer ran")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", never)
    convert18(state)


def test_tensors_of_half_precision(state):
    tensors = {
        name: torch.tensor(value).bfloat16().requires_grad_(False) for name, value in state.items()
    }
    kernel = array(convert18(tensors).get_layer("head_dense").kernel)
    np.testing.assert_array_equal(kernel, tensors["fc.weight"].float().numpy().T)
    assert convert18({k: v.astype("float64") for k, v in state.items()}).dtype == "float32"


@pytest.mark.parametrize("options", [{"features": True}, {"num_classes": 0}])
def test_without_the_head(pair, options):
    case, net, model, _ = pair
    weights = {v.path: array(v) for v in model.weights}
    body = converted(case, net.state_dict(), **options)
    for v in body.weights:
        np.testing.assert_array_equal(array(v), weights.pop(v.path))
    assert weights
    assert all(path.startswith(("head", "hidden")) for path in weights)
    if "features" not in options:
        assert weights.keys() == {"head_dense/kernel", "head_dense/bias"}


def test_a_new_head(state, caplog):
    """For another number of classes exactly the classifier is new, and that is said."""
    before = convert18(state)
    assert (before.zoo_new, caplog.messages) == ((), [])
    model = convert18(state, num_classes=np.int64(5), name="mine")
    assert (model.name, model.output_shape) == ("mine", (None, 5))
    assert model.zoo_new == ("head_dense/kernel", "head_dense/bias")
    assert "NEW head: resnet18 has 5 classes now; head_dense/kernel" in caplog.text
    for a, b in zip(before.weights, model.weights, strict=True):
        assert a.path == b.path
        if b.path not in model.zoo_new:
            np.testing.assert_array_equal(array(a), array(b), a.path)
    assert np.abs(array(model.get_layer("head_dense").kernel)).max() > 0
    without = {name: value for name, value in state.items() if not name.startswith("fc.")}
    with pytest.raises(CheckpointError, match=r"lacks fc\.weight, fc\.bias"):
        convert18(without, num_classes=5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_safetensors(state, tmp_path, dtype):
    from safetensors.torch import save_file

    def cast(value):
        tensor = torch.tensor(value)
        return tensor.to(getattr(torch, dtype)) if tensor.is_floating_point() else tensor

    path = tmp_path / "net.bin"  # known by what is in it
    tensors = {name: cast(value) for name, value in state.items()}
    save_file(tensors, path, metadata={"format": "pt"})
    model, expected = convert18(path), convert18(tensors)
    for a, b in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(array(a), array(b), a.path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"net\.bin: has .* bytes of data"):
        convert18(path)


def test_a_converted_model_is_kept(state, tmp_path):
    model = convert18(state, num_classes=2)
    card = zoo.save(model, tmp_path / "pets", labels=["cat", "dog"])
    assert card.preprocess == model.zoo_preprocess
    again = zoo.load(tmp_path / "pets")
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(array(a), array(b), a.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn1.weight": None}, "does not fit resnet18: it lacks bn1.weight."),
        ({"extra": np.ones(3)}, "it has in addition extra."),
        ({"layer5.0.conv1.weight": np.ones(3)}, "in addition layer5.0.conv1.weight"),
        ({"fc.weight": np.ones((2, 3))}, "has fc.weight of shape (2, 3), not (3, 16)"),
        ({"fc.weight": np.ones((16, 3))}, "has fc.weight of shape (16, 3), not (3, 16)"),
        ({"bn1.weight": 1.0}, "has bn1.weight of shape (), not (2,)"),
        ({"bn1.bias": np.array([1, np.nan])}, "values in bn1.bias that are not finite"),
        ({"bn1.bias": "text"}, "'bn1.bias' must be an array of numbers"),
        ({"bn1.bias": [[1], [1, 2]]}, "'bn1.bias' must be an array of numbers"),
        ({"bn1.bias": np.ones(2, complex)}, "'bn1.bias' must be an array of numbers"),
        ({3: np.ones(2)}, "must be a dict of name -> array"),
    ],
)
def test_what_does_not_fit(state, change, message):
    changed = {k: v for k, v in {**state, **change}.items() if v is not None}
    with pytest.raises(CheckpointError) as caught:
        convert18(changed)
    assert message in str(caught.value)


def test_bad_arguments(state, tmp_path):
    for architecture, message in (
        ("resnet19", "Did you mean 'resnet"),
        ("plainnet20", "There are for: seqnet50, seqnet101, resnet18"),
        (None, "Unknown model"),
    ):
        with pytest.raises(ZooError, match=message):
            zoo.convert(state, architecture)
    with pytest.raises(ZooError, match="Did you mean 'width'"):
        zoo.convert(state, "resnet18", widht=2)
    with pytest.raises(ZooError, match="num_classes must be an integer"):
        convert18(state, num_classes="five")
    with pytest.raises(CheckpointError, match="must be a dict"):
        zoo.convert([1], "resnet18")
    with pytest.raises(CheckpointError, match=r"no\.pth: is missing"):
        zoo.convert(tmp_path / "no.pth", "resnet18")
    with pytest.raises(ZooError, match="no tensor for stage1_1_pair1/contract/kernel"):
        zoo.convert(state, "seqnet50", tie_conv2=False)
