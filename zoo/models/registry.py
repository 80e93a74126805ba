"""Names of architectures, and how each is built."""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import keras

from zoo.errors import UnknownNameError
from zoo.models.arguments import ARGUMENTS, parse_arguments


@dataclass(frozen=True)
class Variant:
    """One row of a family's table.

    Attributes:
        name: public name of the architecture.
        family: the function that builds it.
        args: what fixes this variant among the family; not open to the user.
        presets: defaults of this variant where they differ from the function's; open to the user.
        paper: the source.
        published: the figures that the paper prints for it, in words.
        weights: tag of the checkpoint that `zoo.load(name)` gives, None while there is none.
    """

    name: str
    family: Callable[..., keras.Model]
    args: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ""
    published: str = ""
    weights: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments that a user may give, with their defaults."""
        parameters = inspect.signature(self.family).parameters
        return {
            name: self.presets.get(name, parameters[name].default)
            for name in parameters
            if name in ARGUMENTS and name not in self.args
        }


def variants() -> dict[str, Variant]:
    """All rows of all families by name; the detectors apart, see `detectors`."""
    from zoo.models import maxnorm, mlp, plainnet, residual, seqnet, vgg

    families = (plainnet, maxnorm, seqnet, residual, vgg, mlp)
    return {v.name: v for family in families for v in family.VARIANTS}


def detectors() -> dict[str, Variant]:
    """The rows of the detectors, one for every backbone among the others."""
    from zoo.detection.variants import VARIANTS

    return {v.name: v for v in VARIANTS}


def find(name: str) -> Variant:
    """The variant called `name`; the error for an unknown one names the nearest."""
    known = variants()
    if name not in known:
        known = known | detectors()
    if name not in known:
        raise UnknownNameError("model", name, known, "See zoo.list_models().")
    return known[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match an fnmatch `pattern`, in the order of the tables.

    Example:

    >>> zoo.list_models("plainnet?4")
    ['plainnet44', 'plainnet34']
    """
    return [name for name in (*variants(), *detectors()) if fnmatchcase(name, pattern)]


def create(
    name: str, *, backbone_weights: str | os.PathLike | None = None, **options: Any
) -> keras.Model:
    """Builds an architecture with fresh weights.

    Args:
        name: one of `list_models()`.
        backbone_weights: for a detector, the checkpoint whose body it starts from, anything that
            `zoo.load` takes; its card gives the backbone's options.
        **options: arguments of the family's function, e.g. `num_classes`, `input_shape`,
            `activation` (None for logits). `zoo info NAME` lists them.

    Returns:
        Functional Keras model that takes preprocessed float arrays, channels last.

    Raises:
        ValueError: for an unknown name or option (names the nearest valid one) and for a value
            out of range (names what is allowed); for `backbone_weights` that do not fit.

    Example:

    >>> model = zoo.create("plainnet44", num_classes=100)
    >>> model = zoo.create("mask_rcnn_seqnet50", num_classes=5, backbone_weights="seqnet50")
    """
    variant = find(name)
    if backbone_weights is not None:
        from zoo.detection.variants import create_on

        return create_on(variant, backbone_weights, options)
    parsed = parse_arguments(name, tuple(variant.options), options)
    return variant.family(**variant.args, **{**variant.presets, **parsed}, name=name)
