"""Every public function and class says what it takes and gives, and its example runs."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

from zoo import signals

pytestmark = pytest.mark.once

FOLDER = Path(signals.__file__).parent
MODULES = sorted(
    ".".join(("zoo.signals", *path.relative_to(FOLDER).with_suffix("").parts))
    for path in FOLDER.rglob("*.py")
    if path.stem != "__init__"
)
ORDER = ("Args", "Attributes", "Returns", "Yields", "Raises", "References", "Example")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


@pytest.mark.parametrize("name", signals.__all__)
def test_the_docstring_is_complete_and_in_order(name):
    thing = getattr(signals, name)
    doc = inspect.getdoc(thing)
    places = [match.start() for s in ORDER if (match := re.search(rf"^{s}:$", doc, re.MULTILINE))]
    assert places == sorted(places)
    assert doc.split("\n\n")[0].rstrip().endswith((".", ":"))
    if inspect.isfunction(thing):
        assert "\nReturns:\n" in doc
        assert "\nExample:\n" in doc
        parameters = inspect.signature(thing).parameters
        assert not parameters or "\nArgs:\n" in doc
        for parameter in parameters.values():
            assert re.search(rf"^    {parameter.name}: [A-Z`\"]", doc, re.MULTILINE), parameter
            assert parameter.annotation is not inspect.Parameter.empty, parameter
        assert inspect.signature(thing).return_annotation is not inspect.Signature.empty
