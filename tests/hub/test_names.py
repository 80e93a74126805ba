"""Where public names are, and that those of before still work."""

import pytest

import zoo
from tests.support.helpers import run_python

MOVED = {
    "zoo.checkpoint": ["BatchNorm", "Card", "FileEntry", "Metric", "Origin", "Training"],
    "zoo.formats": ["export", "read_torch_file"],
}


@pytest.mark.parametrize("package", ["checkpoint", "formats", "hub"])
def test_all_names_are_there(package):
    module = getattr(zoo, package)
    assert all(getattr(module, name).__doc__ for name in module.__all__)


@pytest.mark.parametrize(("home", "name"), [(h, n) for h, names in MOVED.items() for n in names])
def test_names_of_before_warn(home, name):
    with pytest.warns(DeprecationWarning, match=rf"zoo\.hub\.{name} is now {home}\.{name}\."):
        value = getattr(zoo.hub, name)
    assert value is getattr(getattr(zoo, home.partition(".")[2]), name)


@pytest.mark.parametrize("package", ["checkpoint", "hub"])
def test_unknown_names(package):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(zoo, package).nothing  # noqa: B018 (the access itself)


@pytest.mark.once
def test_names_and_cards_need_no_backend():
    result = run_python(
        "import sys; sys.argv = ['zoo']\n"
        "import zoo.checkpoint, zoo.hub\n"
        "print(zoo.hub.card('seqnet50.cifar10').name, len(zoo.hub.list_weights('*.cifar10')) > 5)\n"
        "zoo.hub.list_cached()\n"
        "print('keras' in sys.modules)"
    )
    assert result.stdout.split() == ["seqnet50.cifar10", "True", "False"], result.stderr
