"""The examples of the docstrings run, and public names document what their kind demands."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parent.parent

# The sections of the docstring of a public name, by its kind; those of a function only where it
# has arguments or gives something. Results need no example: the function that gives them has one.
SECTIONS = {
    "layer": "Args, Call arguments, Input shape, Output shape, Returns, Raises, Example",
    "callable": "Args, Call arguments, Returns, Raises, Example",
    "class": "Args, Example",
    "function": "Args, Returns, Example",
    "record": "Attributes",
    "error": "",
    "protocol": "",
}
ORDER = [
    *("Args", "Call arguments", "Attributes", "Weights", "Input shape", "Output shape"),
    *("Yields", "Returns", "Raises", "References", "Example"),
]

MODULES = ["zoo", *(info.name for info in pkgutil.walk_packages(zoo.__path__, "zoo."))]
MODULES.remove("zoo.__main__")


def public() -> dict[str, object]:
    """What is named in an `__all__`, each thing once."""
    names = {}
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                names.setdefault(value, f"{module.__name__}.{name}")
    return {name: value for value, name in names.items()}


def kind_of(value: object) -> str:
    if not inspect.isclass(value):
        return "function"
    if issubclass(value, Exception):
        return "error"
    if getattr(value, "_is_protocol", False):
        return "protocol"
    if dataclasses.is_dataclass(value) or issubclass(value, tuple):
        return "record"
    if issubclass(value, keras.layers.Layer):
        return "layer"
    applied = (keras.Initializer, keras.Regularizer, keras.constraints.Constraint)
    return "callable" if issubclass(value, applied) else "class"


def required(value: object) -> set[str]:
    kind = kind_of(value)
    sections = set(filter(None, SECTIONS[kind].split(", ")))
    if kind == "function":
        signature = inspect.signature(value)
        if not signature.parameters:
            sections.discard("Args")
        if signature.return_annotation in (None, "None"):
            sections.discard("Returns")
    return sections


PUBLIC = public()


@pytest.mark.parametrize("module", MODULES)
def test_examples(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").symlink_to(REPOSITORY / "weights")
    names = {"keras": keras, "np": np, "zoo": zoo}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testmod(
        importlib.import_module(module), extraglobs=names, optionflags=flags
    )
    assert not failed


@pytest.mark.parametrize("name", PUBLIC)
def test_sections(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert text, f"{name} has no docstring"
    sections = re.findall(r"^(\w[\w ]+):(?=\s|$)", text, re.MULTILINE)
    missing = required(PUBLIC[name]) - set(sections)
    assert not missing, f"{name} lacks {', '.join(sorted(missing))}"
    known = [section for section in sections if section in ORDER]
    assert known == sorted(known, key=ORDER.index), f"{name}: the order is {', '.join(ORDER)}"
