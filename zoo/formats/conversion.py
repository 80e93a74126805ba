"""Published PyTorch checkpoints as models of the zoo."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.schema import refuse, show
from zoo.errors import ZooError
from zoo.formats.torch_file import read_torch_file
from zoo.models.deferred import build_without_values, fill
from zoo.models.transfer import compare_shapes
from zoo.models.vgg import CONVOLUTIONS
from zoo.preprocessing import IMAGENET
from zoo.registry import find

_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "inner_bias": "bias",
}


def convert(
    state_dict: Mapping[str, Any] | str | os.PathLike,
    architecture: str,
    **options: Any,
) -> keras.Model:
    """A model of the zoo with the weights of a published PyTorch checkpoint.

    Those of the SeqNets' authors for `seqnet50` and `seqnet101`, those of torchvision for
    `resnet18` to `resnet152` and `vgg19_bn`. Every tensor must find its variable and every
    variable its tensor; the counters `num_batches_tracked`, which these models have no use for,
    are left out. The model computes the same for the image that the checkpoint was trained with:
    (N, H, W, C) in place of (N, C, H, W).

    Args:
        state_dict: name -> array (NumPy, PyTorch, or whatever NumPy takes), or the path of a file
            of `torch.save`, which is read without running anything of it. It may lie under
            "state_dict" or "model", and its names may begin with "module.".
        architecture: name of the model.
        **options: as for `zoo.create`, e.g. `activation=None` for logits. What the tensors tell
            is found by itself: `num_classes`, and `inner_bias`, `inner_norm` of SeqNets. With
            `features=True` the tensors of the head are left out, with `num_classes=0` those of
            the classifier.

    Returns:
        The model. `zoo.preprocess` prepares photos for it as its authors did: standardized by
        ImageNet's means, cut from the centre.

    Raises:
        ValueError: for an architecture without published weights, and for tensors that are
            missing, too many, or of another shape (names the first ones).

    Example:

    >>> model = zoo.convert("resnet50.pth", "resnet50")
    >>> model = zoo.convert(net.state_dict(), "seqnet50", activation=None)
    """
    variant = find(architecture)
    if architecture not in _SOURCES:
        raise ZooError(
            f"There are no PyTorch checkpoints for {architecture!r} that could be converted. "
            f"There are for: {', '.join(_SOURCES)}."
        )
    source = _SOURCES[architecture]
    where = "state_dict"
    if isinstance(state_dict, str | os.PathLike):
        where = os.fspath(state_dict)
        state_dict = read_torch_file(where)
    tensors = _unwrap(state_dict, where)

    left_out = None
    if options.get("features"):
        left_out = source.classifier.partition(".")[0]  # the head with all it has
    elif options.get("num_classes") == 0:
        left_out = source.classifier
    if left_out:
        tensors = {k: v for k, v in tensors.items() if not k.startswith(f"{left_out}.")}
    elif f"{source.classifier}.bias" in tensors:
        options.setdefault("num_classes", tensors[f"{source.classifier}.bias"].size)
    for option, name in source.tells.items():
        options.setdefault(option, name in tensors)
    model = build_without_values(lambda: variant.build(**options))
    fill(model, _match(tensors, model, source, where))
    height, width, _ = model.input_shape[1:]
    if height and width:
        shorter = round(min(height, width) * IMAGENET.resize / IMAGENET.size[0])
        model.zoo_preprocess = replace(IMAGENET, size=(height, width), resize=shorter)
    return model


@dataclass(frozen=True)
class _Source:
    """How the checkpoints of a family are named.

    Attributes:
        module: path of a layer -> name of the PyTorch module, None where there is none.
        classifier: the module that has a row for every class.
        tells: option -> the tensor that is there where the option is set.
        flattened: path of the kernel behind `head_flatten`, whose rows PyTorch has in the order
            (C, H, W).
    """

    module: Callable[[str], str | None]
    classifier: str
    tells: Mapping[str, str] = field(default_factory=dict)
    flattened: str | None = None

    def name(self, path: str) -> str:
        """The name of the tensor that belongs to a variable of the zoo."""
        layer, _, leaf = path.rpartition("/")
        module = self.module(layer)
        if module is None:
            raise ZooError(
                f"The published checkpoints have no tensor for {path}: leave the options that "
                "bring it at their defaults."
            )
        return f"{module}.{_LEAVES[leaf]}"


def _seqnet(layer: str) -> str | None:
    ends = {
        "stem_conv": "conv1.0",
        "stem_norm": "conv1.1",
        "head_norm": "classifier.2",
        "head_dense": "classifier.4",
    }
    if layer in ends:
        return ends[layer]
    match = re.fullmatch(r"stage(\d+)_(\d+)_pair([12])/?(\w*)", layer)
    if not match:
        return None
    stage, block, pair, part = match.groups()
    modules = {
        "": f"conv{pair}",  # the inner bias, a weight of the pair itself
        "expand": f"conv{pair}",
        "inner_norm": f"inter_bn{pair}",
        "norm": f"bn{pair}",
    }
    module = "conv3" if (pair, part) == ("2", "contract") else modules.get(part)
    return module and f"layer{stage}.{int(block) - 1}.{module}"


def _resnet(layer: str) -> str | None:
    ends = {"stem_conv": "conv1", "stem_norm": "bn1", "head_dense": "fc"}
    if layer in ends:
        return ends[layer]
    match = re.fullmatch(r"stage(\d+)/block(\d+)/(shortcut_|)(conv|norm)(\d*)", layer)
    if not match:
        return None
    stage, block, shortcut, kind, number = match.groups()
    if shortcut:
        module = "downsample.0" if kind == "conv" else "downsample.1"
    else:
        module = f"conv{number}" if kind == "conv" else f"bn{number}"
    return f"layer{stage}.{int(block) - 1}.{module}"


def _vgg(layer: str) -> str:
    dense = {"hidden1_dense": 0, "hidden2_dense": 3, "head_dense": 6}
    if layer in dense:
        return f"classifier.{dense[layer]}"
    stage, i, kind = re.fullmatch(r"stage(\d+)_(\d+)_(conv|norm)", layer).groups()
    # One list of modules: Conv, BN, ReLU of every convolution, and a pooling behind every stage.
    before = sum(3 * n + 1 for n in CONVOLUTIONS[: int(stage) - 1]) + 3 * (int(i) - 1)
    return f"features.{before + (kind == 'norm')}"


_SEQNET = _Source(
    _seqnet,
    "classifier.4",
    {"inner_bias": "layer1.0.conv1.bias", "inner_norm": "layer1.0.inter_bn1.weight"},
)
_SOURCES = {
    **dict.fromkeys(("seqnet50", "seqnet101"), _SEQNET),
    **{f"resnet{depth}": _Source(_resnet, "fc") for depth in (18, 34, 50, 101, 152)},
    "vgg19_bn": _Source(_vgg, "classifier.6", flattened="hidden1_dense/kernel"),
}


def _unwrap(state_dict: Any, where: str) -> dict[str, np.ndarray]:
    """The tensors by name, as arrays, without what is around them."""
    for key in ("state_dict", "model"):
        if isinstance(state_dict, Mapping) and isinstance(state_dict.get(key), Mapping):
            state_dict = state_dict[key]
    if not isinstance(state_dict, Mapping) or not all(isinstance(k, str) for k in state_dict):
        refuse(where, f"must be a dict of name -> array. Received: {show(state_dict)}")
    prefix = "module." if all(k.startswith("module.") for k in state_dict) else ""
    return {
        name[len(prefix) :]: _array(value, name, where)
        for name, value in state_dict.items()
        if not name.endswith("num_batches_tracked")
    }


def _array(value: Any, name: str, where: str) -> np.ndarray:
    if hasattr(value, "detach"):  # of PyTorch, whatever its device; NumPy has no bfloat16
        value = value.detach().cpu().float().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty((), object)
    if array.dtype.kind not in "fiu":
        refuse(where, f"{show(name)} must be an array of numbers. Received: {show(value)}")
    return array


def _match(
    tensors: Mapping[str, np.ndarray], model: keras.Model, source: _Source, where: str
) -> dict[str, np.ndarray]:
    """Variable path -> array, after the proof that both sides fit."""
    variables = {source.name(v.path): v for v in model.weights}
    shapes = {name: _torch_shape(v.shape) for name, v in variables.items()}
    problems = compare_shapes({name: array.shape for name, array in tensors.items()}, shapes)
    problems += [
        f"has values in {name} that are not finite"
        for name in sorted(tensors.keys() & shapes.keys())
        if not np.isfinite(tensors[name]).all()
    ]
    if problems:
        refuse(where, f"does not fit {model.name}: it {'; it '.join(problems[:4])}")
    arrays = {}
    for name, variable in variables.items():
        array = tensors[name]
        if variable.path == source.flattened:
            height, width, channels = model.get_layer("head_flatten").input.shape[1:]
            array = array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
            array = array.reshape(shapes[name])
        order = _KERAS_ORDER[array.ndim]
        arrays[variable.path] = np.ascontiguousarray(array.transpose(order), "float32")
    return arrays


# Axes of a PyTorch tensor in the order of Keras: PyTorch has the outputs first, the place last.
_KERAS_ORDER = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the PyTorch tensor for a Keras variable."""
    order = _KERAS_ORDER[len(shape)]
    return tuple(shape[order.index(axis)] for axis in range(len(shape)))
