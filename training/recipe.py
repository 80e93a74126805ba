"""The recipes by name, and what the command line changes in them."""

import ast
import dataclasses
import functools
import importlib
import pkgutil
import typing
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from training import recipes
from training.tasks.recipe import About, Recipe, settable
from zoo.errors import UnknownNameError, ZooError


def names(task: str | None = None) -> list[str]:
    """Names of all recipes, or of those of a task: "FILE", or "FILE/ROW" where a file holds the
    rows of a table."""
    return [name for name, recipe in _all().items() if task in (None, recipe.task)]


def find(name: str) -> Recipe:
    """The recipe of that name; `about(name)` tells about its file."""
    if name not in _all():
        raise UnknownNameError("recipe", name, names(), "See `python -m training.train --list`.")
    return _all()[name]


def about(name: str) -> About:
    """What the file of a recipe trains; its docstring tells people more."""
    find(name)
    return _module(name.partition("/")[0]).ABOUT


@functools.cache
def _all() -> dict[str, Recipe]:
    by_name = {}
    for file in sorted(m.name for m in pkgutil.iter_modules(recipes.__path__)):
        module = _module(file)
        if hasattr(module, "RECIPE"):
            by_name[file] = module.RECIPE
        for row, recipe in getattr(module, "RECIPES", {}).items():
            by_name[f"{file}/{row}"] = recipe
    return by_name


def _module(file: str) -> ModuleType:
    return importlib.import_module(f"training.recipes.{file}")


def override(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """`recipe` with command-line `key=value` settings; `model_args.KEY=value` goes to the model."""
    types = {f.name: f.type for f in settable(recipe)}
    changes: dict[str, Any] = {}
    model_args = dict(recipe.model_args)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ZooError(f"Expected key=value. Received: {setting!r}")
        if key.startswith("model_args."):
            model_args[key.removeprefix("model_args.")] = _literal(text)
            continue
        if key not in types:
            raise UnknownNameError("setting", key, [*types, "model_args.KEY"])
        value = text if types[key] is str else _literal(text)
        if types[key] is float and type(value) is int:
            value = float(value)
        if type(value) is not (typing.get_origin(types[key]) or types[key]):
            raise ZooError(f"{key} must be of type {types[key].__name__}. Received: {setting!r}")
        changes[key] = value
    return dataclasses.replace(recipe, model_args=model_args, **changes)


def settings(name: str, recipe: Recipe) -> list[str]:
    """The `key=value` settings that lead from the recipe called `name` to `recipe`."""
    if name not in names():
        return []
    original = find(name)
    fields = settable(recipe)
    changed = [f.name for f in fields if getattr(recipe, f.name) != getattr(original, f.name)]
    return [f"{key}={getattr(recipe, key)}" for key in changed] + [
        f"model_args.{key}={value!r}"
        for key, value in recipe.model_args.items()
        if original.model_args.get(key) != value
    ]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
