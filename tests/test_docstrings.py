"""The examples of the docstrings run, and public names document what their kind demands."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re

import keras
import numpy as np
import pytest

import zoo

pytestmark = pytest.mark.once

PACKAGES = [
    "zoo.callbacks",
    "zoo.catalog",
    "zoo.checkpoint",
    "zoo.checks",
    "zoo.constraints",
    "zoo.creation",
    "zoo.formats",
    "zoo.hub",
    "zoo.detection",
    "zoo.initializers",
    "zoo.images",
    "zoo.layers",
    "zoo.models",
    "zoo.optimizers",
    "zoo.preprocessing",
    "zoo.registry",
    "zoo.regularizers",
    "zoo.tasks",
]

# Which sections the docstring of a public name has, by its kind: the first row that fits.
SECTIONS = {
    "layer": "Args, Call arguments, Input shape, Output shape, Returns, Raises, Example",
    "callable": "Args, Call arguments, Returns, Raises, Example",
    "record": "Attributes, Example",
    "class": "Args, Example",
    "function": "Args, Returns, Example",
}
ORDER = (
    "Args, Call arguments, Attributes, Weights, Input shape, Output shape, Yields, Returns, "
    "Raises, References, Example"
)


def modules(package: str) -> list[str]:
    module = importlib.import_module(package)
    inner = pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}.")
    return [package, *(info.name for info in inner)]


def public() -> dict[str, object]:
    """Public names of the packages: those of `__all__`; of a module without it, those defined."""
    names = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        defined = [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == package and not name.startswith("_")
        ]
        for name in getattr(module, "__all__", defined):
            names[f"{package}.{name}"] = getattr(module, name)
    return {k: v for k, v in names.items() if inspect.isclass(v) or inspect.isfunction(v)}


def kind_of(value: object) -> str:
    if not inspect.isclass(value):
        return "function"
    if dataclasses.is_dataclass(value):
        return "record"
    if issubclass(value, keras.layers.Layer):
        return "layer"
    applied = (keras.Initializer, keras.Regularizer, keras.constraints.Constraint)
    return "callable" if issubclass(value, applied) else "class"


PUBLIC = public()


@pytest.mark.parametrize("module", [name for package in PACKAGES for name in modules(package)])
def test_examples(module):
    names = {"keras": keras, "np": np, "zoo": zoo}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = importlib.import_module(module)
    failed, _ = doctest.testmod(found, extraglobs=names, optionflags=flags)
    assert not failed


@pytest.mark.parametrize("name", PUBLIC)
def test_sections(name):
    value = PUBLIC[name]
    text = inspect.getdoc(value) or ""
    sections = re.findall(r"^(\w[\w ]+):$", text, re.MULTILINE)
    required = SECTIONS[kind_of(value)].split(", ")
    if kind_of(value) == "function":
        if not inspect.signature(value).parameters:
            required.remove("Args")
        if inspect.signature(value).return_annotation is None:
            required.remove("Returns")
    assert not set(required) - set(sections), f"{name} lacks {set(required) - set(sections)}"
    known = [section for section in sections if section in ORDER.split(", ")]
    assert known == sorted(known, key=ORDER.split(", ").index), f"{name}: the order is {ORDER}"
