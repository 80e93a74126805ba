"""`zoo cache`: only what is the zoo's is shown, judged and removed."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.checkpoints import edit_card, make_checkpoint
from tests.support.children import call, cli, fetch
from tests.support.loopback import Hub

pytestmark = pytest.mark.once

REPO = "org/net"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def environment(hub, home):
    return hub.environment(home)


@pytest.fixture(scope="module")
def template_home(template, tmp_path_factory):
    """A cache with two versions of one checkpoint, another one, and what is not the zoo's; and
    the commits of the first."""
    home, folder, other = (tmp_path_factory.mktemp(n) / "x" for n in ("home", "folder", "other"))
    with Hub() as hub:
        shutil.copytree(template[0], folder)
        first = hub.add(REPO, folder)
        call(hub.environment(home), fetch, REPO)
        edit_card(folder, lambda c: c.update(version=2))
        second = hub.add(REPO, folder)
        call(hub.environment(home), fetch, REPO)
        make_checkpoint(other, "maxnorm_mlp5")
        hub.add("org/other", other)
        call(hub.environment(home), fetch, "org/other")
        hub.add("org/animals", {"zoo.json": b'{"animals": ["cat"]}', "model.safetensors": b"x"})
        call(hub.environment(home), fetch, "org/animals")  # refused, but the card is there
    return home, (first, second)


@pytest.fixture
def filled(template_home, home):
    """`home` is a copy of that; the commits of the first."""
    shutil.copytree(template_home[0], home, symlinks=True)
    return template_home[1]


def run(environment, *argv):
    code, output = call(environment, cli, "cache", *argv).value
    return code, json.loads(output) if "--json" in argv else output


def names(environment, *argv):
    return [row["name"] for row in run(environment, "list", "--json", *argv)[1]]


def blobs(home):
    return {p for p in home.rglob("blobs/*") if p.is_file()}


def damage(home, repo, name, byte=b""):
    """Flips the last bit of the byte: the one in the middle, or the last one of `byte`."""
    folder = home / "hub" / f"models--{repo.replace('/', '--')}"
    for path in {p.resolve() for p in folder.rglob(f"snapshots/*/{name}")}:
        data = bytearray(path.read_bytes())
        data[data.index(byte) + len(byte) - 1 if byte else len(data) // 2] ^= 1
        path.write_bytes(data)


def test_empty(environment):
    assert run(environment, "list") == (0, "")
    assert run(environment, "verify") == (0, "")
    assert run(environment, "clean", "--all") == (0, "Nothing to remove.\n")


def test_list(hub, environment, filled):
    rows = run(environment, "list", "--json")[1]
    assert [(row["name"], row["repo"]) for row in rows] == [
        ("maxnorm_mlp3.toy", REPO),
        ("maxnorm_mlp3.toy", REPO),
        ("maxnorm_mlp5.toy", "org/other"),
    ]
    assert {rows[0]["commit"], rows[1]["commit"]} == set(filled)
    for row in rows:
        assert row["size"] == sum(p.stat().st_size for p in Path(row["folder"]).iterdir())
    assert names(environment, "*mlp5*") == ["maxnorm_mlp5.toy"]
    assert names(environment, "org/other") == ["maxnorm_mlp5.toy"]
    lines = run(environment, "list")[1].splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("maxnorm_mlp5.toy  hf://org/other@")
    assert "kB  last used 20" in lines[2]
    assert hub.requests == []


def test_verify(hub, environment, filled, home):
    code, text = run(environment, "verify")
    assert code == 0
    assert text.count(": whole\n") == 3
    damage(home, "org/other", "model.safetensors")
    code, text = run(environment, "verify")
    assert code == 1
    assert text.count(": whole\n") == 2
    assert ": DAMAGED model.safetensors\nzoo.load downloads" in text
    damage(home, REPO, "zoo.json")
    code, rows = run(environment, "verify", "--json")
    assert code == 1
    assert sorted(row["damaged"] for row in rows) == [
        ["model.safetensors"],
        ["zoo.json"],
        ["zoo.json"],
    ]
    assert call(environment, cli, "cache", "verify", "org/animals").value[0] == 2  # not the zoo's
    assert hub.requests == []


def test_clean(environment, filled, home):
    before = blobs(home)
    code, result = run(environment, "clean", "maxnorm_mlp5.toy", "--yes", "--json")
    assert code == 0
    assert [row["repo"] for row in result["removed"]] == ["org/other"]
    gone = before - blobs(home)
    assert result["freed"] > 0
    assert all("models--org--other" in str(path) for path in gone)
    assert names(environment) == ["maxnorm_mlp3.toy"] * 2
    code, text = run(environment, "clean", "--all", "--yes")
    assert code == 0
    assert text.splitlines()[-1].startswith("Removed, ")
    assert names(environment) == []
    assert {p.parent.parent.name for p in blobs(home)} == {"models--org--animals"}


def test_copies_of_a_repository_have_the_same_commits(environment, filled, home):
    cache = home / "hub"
    shutil.copytree(cache / "models--org--net", cache / "models--org--copy", symlinks=True)
    run(environment, "clean", "org/copy", "--yes")
    assert {row["repo"] for row in run(environment, "list", "--json")[1]} == {REPO, "org/other"}


# A brace is not one any more; a seed is another one.
@pytest.mark.parametrize("byte", [b"{", b'"seed": 0'])
def test_damaged_cards_are_not_removed(environment, filled, home, byte):
    damage(home, "org/other", "zoo.json", byte)
    row = run(environment, "verify", "org/other", "--json")[1][0]
    assert (row["name"], row["damaged"]) == ("", ["zoo.json"])
    before = blobs(home)
    assert run(environment, "clean", "org/other", "--yes") == (0, "Nothing to remove.\n")
    assert blobs(home) == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("clean", "maxnorm_mlp5.toy"), "nobody can be asked here. Say --yes"),
        (("clean",), "takes the NAME of a checkpoint, or --all"),
        (("clean", "x", "--all", "--yes"), "takes the NAME of a checkpoint, or --all"),
        (("clean", "maxnorm_mlp5.tay", "--yes"), "Did you mean 'maxnorm_mlp5.toy'"),
        (("list", "nothing*"), "Unknown checkpoint in the Hub's cache"),
    ],
)
def test_mistakes(environment, filled, home, argv, words):
    before = blobs(home)
    outcome = call(environment, cli, "cache", *argv)
    assert outcome.value[0] == 2
    assert words in outcome.printed
    assert blobs(home) == before
