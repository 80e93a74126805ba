"""Weights by the paths of their variables, from one network to another."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

import keras

from zoo.errors import ZooError
from zoo.models.deferred import fill

_log = logging.getLogger("zoo")

Shapes = Mapping[str, tuple[int, ...]]


def copy_weights(
    source: keras.Model, target: keras.Model, *, but: Collection[str] = (), name: str = ""
) -> None:
    """Gives a network the weights of another that has the same variables.

    Args:
        source: keras.Model, whose weights are copied.
        target: keras.Model, built; also one of `build_without_values`, whose other variables then
            start as their initializers say.
        but: collection of str, names of the layers that are left as they are, in either network.
        name: str, of the source in errors; "" for the model's own.

    Raises:
        ZooError: a variable is missing on either side, or of another shape; a network has two of
            one path. Nothing was changed.

    Example:

    >>> source = zoo.create("maxnorm_mlp3", num_classes=3)
    >>> target = zoo.create("maxnorm_mlp3", num_classes=5)
    >>> copy_weights(source, target, but=["head_dense"])
    """
    variables = [_variables(model, but) for model in (source, target)]
    shapes = [{path: tuple(v.shape) for path, v in side.items()} for side in variables]
    if problems := compare_shapes(*shapes):
        raise ZooError(
            f"{name or source.name} does not fit {target.name}: it {'; it '.join(problems[:4])}."
        )
    fill(target, {path: variable.numpy() for path, variable in variables[0].items()})


def compare_shapes(received: Shapes, expected: Shapes) -> list[str]:
    """What keeps weights from taking the place of others, in words; [] where they fit.

    Args:
        received: mapping of str to tuple of int, path -> shape of what there is.
        expected: mapping of str to tuple of int, path -> shape of what there should be.
    """
    return compare_names(received, expected) + [
        f"has {path} of shape {received[path]}, not {expected[path]}"
        for path in expected
        if path in received and received[path] != expected[path]
    ]


def compare_names(received: Collection[str], expected: Collection[str]) -> list[str]:
    """Which names are missing and which are too many, in words; [] where they are equal."""
    cases = {
        "lacks": [name for name in expected if name not in received],
        "has in addition": [name for name in received if name not in expected],
    }
    return [f"{verb} {first_names(names)}" for verb, names in cases.items() if names]


def first_names(names: Sequence[str]) -> str:
    """The first four names, and how many more there are."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(name[:100] for name in names[:4]) + more


def warn_of_new_head(name: str, classes: int | None, new: Sequence[str], pretrained: int) -> None:
    """Says which weights of a model are not those that it was loaded from."""
    _log.warning(
        "NEW head: %s has %d classes now; %s start fresh, the other %d tensors are pretrained.",
        *(name, classes, first_names(new), pretrained),
    )


def paths_in(layers: Iterable[str], paths: Iterable[str]) -> set[str]:
    """Those of the variable paths that belong to the layers."""
    starts = tuple(f"{layer}/" for layer in layers)
    return {path for path in paths if path.startswith(starts)}


def _variables(model: keras.Model, but: Collection[str]) -> dict[str, keras.Variable]:
    variables: dict[str, keras.Variable] = {}
    for variable in model.weights:
        if variable.path in variables:  # as in a model of two nets of one architecture
            raise ZooError(
                f"{model.name} has two variables called {variable.path}: copy the weights of its "
                "parts one by one."
            )
        variables[variable.path] = variable
    left_out = paths_in(but, variables)
    return {path: v for path, v in variables.items() if path not in left_out}
