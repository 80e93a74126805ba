"""The file of pins: strict, for it decides what a built-in name downloads."""

import json

import pytest

from zoo.errors import CheckpointError
from zoo.hub import pins

pytestmark = pytest.mark.once

PIN = {"repo": "org/net", "commit": "0123456789" * 4, "sha256": "ab" * 32}


def read(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return pins.read_pins(path)


def test_the_package_has_one():
    for pin in pins.read_pins().values():
        assert isinstance(pin, pins.Pin)


def test_right(tmp_path):
    assert read(tmp_path / "p", {}) == {}
    assert read(tmp_path / "p", {"mlp3.a": PIN}) == {"mlp3.a": pins.Pin(**PIN)}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "must be an object"),
        ("{", "not valid JSON"),
        ('{"mlp3.a": {}, "mlp3.a": {}}', "occurs twice"),
        ({"../x": PIN}, r"names must be 'architecture\.tag'"),
        ({"mlp3": PIN}, r"names must be 'architecture\.tag'"),
        ({"mlp3.a": []}, r"mlp3\.a must be an object"),
        ({"mlp3.a": {k: PIN[k] for k in ("repo", "commit")}}, r"mlp3\.a\.sha256 is missing"),
        ({"mlp3.a": PIN | {"url": "x"}}, "Unknown field: 'url'"),
        ({"mlp3.a": PIN | {"repo": "net"}}, "repo must be 'org/name'"),
        ({"mlp3.a": PIN | {"repo": "../net"}}, "repo must be 'org/name'"),
        ({"mlp3.a": PIN | {"commit": "main"}}, "commit must be 40 hex digits"),
        ({"mlp3.a": PIN | {"commit": PIN["commit"].upper() + "g"}}, "commit must be 40 hex"),
        ({"mlp3.a": PIN | {"sha256": "ab"}}, "sha256 must be 64 hex digits"),
        ({"mlp3.a": PIN | {"sha256": None}}, "sha256 must be text"),
    ],
)
def test_wrong(tmp_path, value, words):
    with pytest.raises(CheckpointError, match=words):
        read(tmp_path / "p", value)
