"""Published PyTorch checkpoints as models of the zoo."""

import os
from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from zoo.checkpoint.schema import refuse, show
from zoo.errors import ZooError
from zoo.formats.safetensors_file import is_safetensors_file, read_safetensors_file
from zoo.formats.torch_file import read_torch_file
from zoo.models.deferred import build_without_values, fill
from zoo.models.torch_names import TorchNames
from zoo.models.transfer import compare_shapes, warn_of_new_head
from zoo.preprocessing import IMAGENET
from zoo.registry import find, variants


def convert(
    state_dict: Mapping[str, Any] | str | os.PathLike,
    architecture: str,
    *,
    name: str | None = None,
    **options: Any,
) -> keras.Model:
    """A model of the zoo with the weights of a published PyTorch checkpoint.

    Those of the SeqNets' authors for `seqnet50` and `seqnet101`, those of torchvision for
    `resnet18` to `resnet152` and `vgg19_bn`. Every tensor must find its variable and every
    variable its tensor; the counters `num_batches_tracked`, which these models have no use for,
    are left out. The model computes the same for the image that the checkpoint was trained with:
    (N, H, W, C) in place of (N, C, H, W).

    Args:
        state_dict: mapping of str to array (NumPy, PyTorch, or whatever NumPy takes), or the path
            of a file of `torch.save` or of safetensors, which is read without running anything of
            it. The tensors may lie under "state_dict" or "model", and their names may begin with
            "module.".
        architecture: str, one of those above.
        name: str, of the model; None for the architecture's.
        **options: as for `zoo.create`, e.g. `activation=None` for logits. What the tensors show
            need not be said: `num_classes`, and `inner_bias`, `inner_norm` of SeqNets. Another
            `num_classes` than that of the tensors gives the pretrained body with a new classifier
            (exactly that is new, and a warning says so). With `features=True` the tensors of the
            head are left out, with `num_classes=0` those of the classifier.

    Returns:
        keras.Model. `zoo.preprocess` prepares photos for it as its authors did: standardized by
        ImageNet's means, cut from the centre. `zoo_new` names the weights that are not the
        checkpoint's: (), or those of a new head.

    Raises:
        ZooError: for an architecture without published weights, and for tensors that are missing,
            too many, or of another shape (names the first ones).

    Example:

    >>> model = zoo.convert("resnet50.pth", "resnet50")  # doctest: +SKIP
    >>> model = zoo.convert("resnet50.safetensors", "resnet50", num_classes=5)  # doctest: +SKIP
    >>> model = zoo.convert(net.state_dict(), "seqnet50", activation=None)  # doctest: +SKIP
    """
    variant = find(architecture)
    source = variant.torch
    if source is None:
        known = [name for name, row in variants().items() if row.torch]
        raise ZooError(
            f"There are no PyTorch checkpoints for {architecture!r} that could be converted. "
            f"There are for: {', '.join(known)}."
        )
    options = variant.parse(options)
    content: Any = state_dict
    where = "state_dict"
    if isinstance(state_dict, str | os.PathLike):
        where = os.fspath(state_dict)
        read = read_safetensors_file if is_safetensors_file(where) else read_torch_file
        content = read(where)
    tensors = _unwrap(content, where)

    left_out = None
    if f"{source.classifier}.bias" in tensors:
        options.setdefault("num_classes", tensors[f"{source.classifier}.bias"].size)
        if options["num_classes"] != tensors[f"{source.classifier}.bias"].size:
            left_out = source.classifier
    if options.get("features"):
        left_out = source.classifier.partition(".")[0]  # the head with all it has
    if left_out:
        tensors = {k: v for k, v in tensors.items() if not _is_of(k, left_out)}
    for option, tensor in source.tells.items():
        options.setdefault(option, tensor in tensors)
    model = build_without_values(lambda: variant.build(name=name, **options))
    new = [v.path for v in model.weights if _is_of(source.tensor(v.path), left_out)]
    fill(model, _match(tensors, model, source, where, new))
    model.zoo_new = tuple(new)
    if new:
        classes = options["num_classes"]
        warn_of_new_head(architecture, classes, new, len(model.weights) - len(new))
    height, width, _ = model.input_shape[1:]
    model.zoo_preprocess = IMAGENET.of_size((height, width)) if height and width else IMAGENET
    return model


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


def _is_of(tensor: str, module: str | None) -> bool:
    return module is not None and tensor.startswith(f"{module}.")


def _match(
    tensors: Mapping[str, np.ndarray],
    model: keras.Model,
    source: TorchNames,
    where: str,
    new: Collection[str],
) -> dict[str, np.ndarray]:
    """Variable path -> array of all but the new ones, after the proof that both sides fit."""
    variables = {source.tensor(v.path): v for v in model.weights if v.path not in new}
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
