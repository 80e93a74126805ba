"""A named network of a family: one row of the family's table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import keras

from zoo import checks
from zoo.models.options import Option, parse_options, read_options
from zoo.models.torch_names import TorchNames


@dataclass(frozen=True)
class Built:
    """What a model was built of; on the model as `zoo_built`, until it is copied.

    Attributes:
        architecture: str. Name of the variant.
        args: mapping of str to values. Options that were given, normalized.

    Example:

    >>> zoo.create("maxnorm_mlp3", num_classes=2).zoo_built
    Built(architecture='maxnorm_mlp3', args={'num_classes': 2})
    """

    architecture: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One row of a family's table.

    Attributes:
        name: str. Public name of the architecture.
        family: the function that builds it. Its signature declares the options.
        fixed: mapping of str to values. Arguments that make this variant what it is; not open to
            the user.
        defaults: mapping of str to values. Defaults of this variant where they differ from the
            function's; open to the user.
        paper: str. The source.
        published: str. The figures that the paper prints for it, in words.
        weights: str or None. Tag of the checkpoint that `zoo.load(name)` gives, None while there
            is none.
        task: str, "classification" or "detection". What it is for.
        torch: TorchNames of published PyTorch checkpoints, for `zoo.convert`; None where there are
            none.

    Example:

    >>> variant = zoo.registry.find("normprop_resnet20")
    >>> variant.fixed["depth"], variant.defaults["norm"], variant.signature["norm"].default
    (20, 'normprop', 'normprop')
    """

    name: str
    family: Callable[..., keras.Model]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ""
    published: str = ""
    weights: str | None = None
    task: Literal["classification", "detection"] = "classification"
    torch: TorchNames | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments that a user may give, with their defaults."""
        return {name: option.default for name, option in self.signature.items()}

    @property
    def signature(self) -> dict[str, Option]:
        """Arguments that a user may give: defaults, and what they may be."""
        declared = read_options(self.family, ("name", *self.fixed))
        return {
            name: replace(option, default=self.defaults.get(name, option.default))
            for name, option in declared.items()
        }

    def parse(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with normalized values.

        Args:
            options: mapping of str to values, some of those in `options`.

        Returns:
            dict of the same names.

        Raises:
            ZooError: for an unknown option and for a value out of range.
        """
        return parse_options(self.name, self.signature, options)

    def build(self, *, name: str | None = None, **options: Any) -> keras.Model:
        """The model with fresh weights.

        Args:
            name: str or None. Of the model; None for the variant's. Paths of variables do not
                depend on it.
            **options: some of those in `options`.

        Returns:
            Functional Keras model.

        Raises:
            ZooError: as `parse`, and for options that do not fit each other.
        """
        args = self.parse(options)
        model = self.construct(args, self.name if name is None else checks.model_name(name))
        model.zoo_built = Built(self.name, args)
        return model

    def construct(self, args: Mapping[str, Any], name: str) -> keras.Model:
        """`build` of options that are normalized already."""
        return self.family(**self.fixed, **{**self.defaults, **args}, name=name)
