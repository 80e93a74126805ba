"""Names of architectures, and how each is built."""

import inspect
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
    """All rows of all families by name."""
    from zoo.models import maxnorm, mlp, plainnet, residual, seqnet, vgg

    families = (plainnet, maxnorm, seqnet, residual, vgg, mlp)
    return {v.name: v for family in families for v in family.VARIANTS}


def find(name: str) -> Variant:
    """The variant called `name`; the error for an unknown one names the nearest."""
    known = variants()
    if name not in known:
        raise UnknownNameError("model", name, known, "See zoo.list_models().")
    return known[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match an fnmatch `pattern`, in the order of the tables.

    Example:

    >>> zoo.list_models("plainnet?4")
    ['plainnet44', 'plainnet34']
    """
    return [name for name in variants() if fnmatchcase(name, pattern)]


def create(name: str, **options: Any) -> keras.Model:
    """Builds an architecture with fresh weights.

    Args:
        name: one of `list_models()`.
        **options: arguments of the family's function, e.g. `num_classes`, `input_shape`,
            `activation` (None for logits). `zoo info NAME` lists them.

    Returns:
        Functional Keras model that takes preprocessed float arrays, channels last.

    Raises:
        ValueError: for an unknown name or option (names the nearest valid one) and for a value
            out of range (names what is allowed).

    Example:

    >>> model = zoo.create("plainnet44", num_classes=100)
    """
    variant = find(name)
    parsed = parse_arguments(name, tuple(variant.options), options)
    return variant.family(**variant.args, **{**variant.presets, **parsed}, name=name)
