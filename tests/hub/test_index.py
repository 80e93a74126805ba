"""Names: architectures, checkpoints, folders."""

import dataclasses
import shutil
from pathlib import Path

import pytest

import zoo
from tests.support.checkpoints import edit_card, make_checkpoint, predict
from zoo import catalog
from zoo.errors import CheckpointError, UnknownNameError, ZooError
from zoo.hub import index, loading, pins


@pytest.fixture(scope="module")
def two_roots(tmp_path_factory):
    root = tmp_path_factory.mktemp("roots")
    wheel, clone = root / "_weights", root / "weights"
    make_checkpoint(wheel / "maxnorm_mlp3.toy", version=2)
    make_checkpoint(clone / "maxnorm_mlp3.toy", version=1)
    make_checkpoint(clone / "maxnorm_mlp3.more", name="maxnorm_mlp3.more")
    make_checkpoint(clone / "maxnorm_mlp5.toy", "maxnorm_mlp5")
    (clone / "plainnet20.empty").mkdir()
    make_checkpoint(clone / ".maxnorm_mlp10.toy.partial", "maxnorm_mlp10")
    return root


@pytest.fixture(autouse=True)
def no_pins(tmp_path, monkeypatch):
    path = tmp_path / "pins.json"
    path.write_text("{}")
    monkeypatch.setattr(pins, "PINS", path)


@pytest.fixture
def shipped(two_roots, tmp_path, monkeypatch):
    """Two roots: a wheel's and a clone's."""
    root = shutil.copytree(two_roots, tmp_path / "site-packages")
    wheel, clone = root / "_weights", root / "weights"
    monkeypatch.setattr(index, "ROOTS", (wheel, clone))
    known = catalog.entries()
    rows = {**known, "maxnorm_mlp3": dataclasses.replace(known["maxnorm_mlp3"], weights="toy")}
    monkeypatch.setattr(catalog, "entries", lambda: rows)
    return wheel, clone


def test_where_checkpoints_are():
    package = Path(zoo.__file__).parent
    assert list(index.ROOTS) == [package / "_weights", package.parent / "weights"]


def test_list(shipped):
    assert index.list_weights() == ["maxnorm_mlp3.more", "maxnorm_mlp3.toy", "maxnorm_mlp5.toy"]
    assert index.list_weights("*.toy") == ["maxnorm_mlp3.toy", "maxnorm_mlp5.toy"]
    assert index.list_weights("nothing*") == []


def test_nothing_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "ROOTS", (tmp_path / "a", tmp_path / "b"))
    assert index.list_weights() == []


def test_by_name(shipped):
    assert loading.load("maxnorm_mlp3.more").zoo_card.name == "maxnorm_mlp3.more"
    assert loading.load("maxnorm_mlp3.toy").zoo_card.version == 2  # the wheel's
    assert loading.load("maxnorm_mlp3").zoo_card.name == "maxnorm_mlp3.toy"
    assert index.card("maxnorm_mlp3") == index.card("maxnorm_mlp3.toy")
    assert loading.load("maxnorm_mlp3", num_classes=0).zoo_card.labels == ()
    assert predict(loading.load("maxnorm_mlp3.toy", activation=None)).sum() != pytest.approx(4)


def test_by_folder(shipped, tmp_path, monkeypatch):
    folder = shipped[1] / "maxnorm_mlp5.toy"
    assert loading.load(folder).zoo_card == index.card(str(folder)) == index.card(folder)
    monkeypatch.chdir(tmp_path)
    (shipped[1] / "maxnorm_mlp5.toy").rename(tmp_path / "mine")
    assert index.card("mine").name == "maxnorm_mlp5.toy"
    assert index.card("./mine").name == "maxnorm_mlp5.toy"
    with pytest.raises(CheckpointError, match=r"nowhere.*zoo\.json is missing: there is no such"):
        loading.load("./nowhere")


def test_home_folder(shipped, monkeypatch):
    monkeypatch.setenv("HOME", str(shipped[1]))
    assert index.card("~/maxnorm_mlp5.toy").name == "maxnorm_mlp5.toy"
    with pytest.raises(CheckpointError, match="there is no such"):
        loading.load("~nobody-of-this-name/maxnorm_mlp5.toy")


@pytest.mark.parametrize("function", [loading.load, index.card])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("maxnorm_mlp3.toi", "Did you mean 'maxnorm_mlp3.toy'"),
        ("maxnorm_mpl5", "Did you mean 'maxnorm_mlp5'"),
        ("", "Unknown checkpoint"),
    ],
)
def test_unknown(shipped, function, name, words):
    with pytest.raises(UnknownNameError, match=words):
        function(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("maxnorm_mlp5", "no default checkpoint.*There is: maxnorm_mlp5.toy"),
        ("plainnet20", r"no default checkpoint.*zoo\.create\(\"plainnet20\"\)"),
        ("hf://somebody", "named by 'hf://org/name'"),
        (None, "Received: None"),
        (3, "Received: 3"),
        ("a/\0b", "cannot be read"),
    ],
)
def test_no_checkpoint(shipped, name, words):
    with pytest.raises(ZooError, match=words):
        loading.load(name)


def test_default_that_is_not_shipped(shipped):
    (shipped[0] / "maxnorm_mlp3.toy" / "zoo.json").unlink()
    (shipped[1] / "maxnorm_mlp3.toy" / "zoo.json").unlink()
    with pytest.raises(ZooError, match=r"no default checkpoint here.*There is: maxnorm_mlp3\.more"):
        loading.load("maxnorm_mlp3")


@pytest.mark.parametrize("function", [loading.load, index.card])
def test_a_shipped_folder_holds_what_its_name_says(shipped, function):
    edit_card(shipped[1] / "maxnorm_mlp5.toy", lambda c: c.update(name="maxnorm_mlp5.other"))
    with pytest.raises(CheckpointError, match=r"name must be 'maxnorm_mlp5\.toy' here"):
        function("maxnorm_mlp5.toy")


def test_every_real_checkpoint_is_consistent():
    for name in index.list_weights():
        assert index.is_here(name)
        assert index.card(name).name == name
