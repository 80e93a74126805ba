"""`zoo/catalog.json` says what the tables say; `python -m training.models_page` renews it."""

import json

import pytest

from tests.models import golden
from tests.support.helpers import run_python
from training.models_page import entry
from zoo import catalog
from zoo.errors import UnknownNameError
from zoo.models.cost import multiply_adds
from zoo.models.deferred import build_without_values
from zoo.registry import find, list_models, variants

pytestmark = pytest.mark.once

GOLDEN = json.loads(golden.PATH.read_text())


def test_the_tables():
    assert list(catalog.entries()) == list(variants())
    for name, said in catalog.entries().items():
        assert said == entry(find(name), said.params, said.multiply_adds)


def test_the_figures():
    for name, facts in GOLDEN.items():
        said = catalog.find(name)
        assert said.multiply_adds == facts["multiply_adds"]
        assert said.params >= facts["trainable"]


@pytest.mark.parametrize("name", ["maxnorm_mlp3", "preresnet20", "mask_rcnn_plainnet20"])
def test_figures_of_a_model(name):
    model = build_without_values(find(name).build)
    said = catalog.find(name)
    assert (said.params, said.multiply_adds) == (model.count_params(), multiply_adds(model))


def test_names():
    assert catalog.list_models("*plainnet?4") == list_models("*plainnet?4")
    with pytest.raises(UnknownNameError, match="Did you mean 'plainnet44'"):
        catalog.find("planenet44")


def test_writing_gives_the_same_file(tmp_path, monkeypatch):
    text = catalog.PATH.read_text()
    monkeypatch.setattr(catalog, "PATH", tmp_path / "catalog.json")
    catalog.write(catalog.entries())
    assert catalog.PATH.read_text() == text


def test_it_is_read_without_keras():
    code = (
        "import sys; sys.argv = ['zoo']\n"  # as the console command, which imports what it needs
        "from zoo import catalog\n"
        "print(len(catalog.entries()), 'keras' in sys.modules, 'numpy' in sys.modules)"
    )
    done = run_python(code)
    assert done.stdout.split() == [str(len(variants())), "False", "False"], done.stderr
