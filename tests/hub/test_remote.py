"""Checkpoints of the Hub: what is asked for, what is kept, and what errors say."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest

from tests.support.checkpoints import edit_card, predict
from tests.support.children import (
    call,
    card_name,
    fetch,
    listed,
    load,
    load_at,
    with_pins,
)
from tests.support.helpers import run_python
from tests.support.loopback import OWNER, READER
from tests.support.loopback.faults import Fault
from zoo.errors import CheckpointError, HubError, ZooError
from zoo.hub import loading, remote

pytestmark = pytest.mark.once

REPO = "org/net"
FILES = {"zoo.json", "model.safetensors"}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def published(hub, folder):
    """The commit of a checkpoint on the Hub."""
    return hub.add(REPO, folder)


def test_load(hub, published, home, template):
    environment = hub.environment(home)
    assert hub.requests == []
    for name in (f"hf://{REPO}", f"hf://{REPO}@{published}"):
        np.testing.assert_array_equal(call(environment, load, name).value, predict(template[1]))


def test_what_is_asked_for(hub, folder, published, home):
    """The card, then the files that loading reads; README and others stay there."""
    (folder / "config.json").write_text("{}")
    entry = {"size": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    edit_card(folder, lambda c: c["files"].update({"config.json": entry}))
    hub.add(REPO, folder)
    files = call(hub.environment(home), fetch, REPO).value
    assert files.keys() == FILES
    assert all(files[name] == (folder / name).read_bytes() for name in FILES)
    assert hub.count("zoo.json", "GET") == hub.count("model.safetensors", "GET") == 1
    assert {r.path.rpartition("/")[2] for r in hub.requests} == FILES


def test_a_shape_that_does_not_fit_takes_the_card_alone(hub, published, home):
    error = call(hub.environment(home), load_at, f"hf://{REPO}", (8, 8, 1)).error
    with pytest.raises(ZooError, match=r"is for input_shape=\(4, 4, 1\) alone"):
        raise error
    assert hub.count("model.safetensors", "GET") == 0


def test_a_cached_commit_makes_no_request(hub, published, home, template):
    environment = hub.environment(home)
    call(environment, fetch, REPO, published)
    hub.heal()
    assert call(environment, fetch, REPO, published).value.keys() == FILES
    assert hub.requests == []


def test_offline(hub, published, home, template):
    offline = hub.environment(home) | {"HF_HUB_OFFLINE": "1"}
    for revision in ("main", published):
        error = call(offline, fetch, REPO, revision).error
        assert isinstance(error, HubError)
        assert "not in the cache" in str(error)
        assert "HF_HUB_OFFLINE" in str(error)
    call(hub.environment(home), fetch, REPO)
    hub.heal()
    np.testing.assert_array_equal(call(offline, load, f"hf://{REPO}").value, predict(template[1]))
    assert call(offline, fetch, REPO, published).value.keys() == FILES
    assert hub.requests == []


def test_revisions(hub, folder, published, home):
    hub.repos[REPO].tags["v1"] = published
    edit_card(folder, lambda c: c.update(version=2))
    second = hub.add(REPO, folder)
    environment = hub.environment(home)
    versions = {
        revision: json.loads(call(environment, fetch, REPO, revision).value["zoo.json"])["version"]
        for revision in ("v1", "main", published, second)
    }
    assert versions == {"v1": 1, "main": 2, published: 1, second: 2}
    assert hub.count("model.safetensors", "GET") == 1  # the same in both


def test_only_the_card(hub, published, home):
    outcome = call(hub.environment(home), card_name, f"hf://{REPO}")
    assert outcome.value == "maxnorm_mlp3.toy"
    assert outcome.printed == ""  # no bar where there is no terminal, no word of the client
    assert hub.count("model.safetensors") == 0


def test_the_client_is_not_imported_with_the_zoo():
    modules = run_python("import sys, zoo.hub.remote; print(*sys.modules)").stdout.split()
    assert "zoo.hub.remote" in modules
    assert [m for m in modules if m.startswith(("huggingface_hub.", "httpx"))] == []


@pytest.mark.parametrize(
    ("token", "options", "repo", "revision", "words"),
    [
        ("", {}, "org/nothing", "main", "no such repository.*or it is private.*hf auth login"),
        (READER, {}, "org/nothing", "main", "no such repository"),
        ("", {}, REPO, "v9", "no branch, tag or commit 'v9'.*/org/net/commits/main"),
        ("", {}, REPO, "0" * 40, "no branch, tag or commit '0000"),
        ("", {"private": True}, REPO, "main", "or it is private"),
        ("", {"gated": True}, REPO, "main", "grants access on request.*/org/net, then log in"),
        (READER, {"gated": True}, REPO, "main", "grants access on request"),
        ("hf_wrong", {}, REPO, "main", "did not accept the token: correct HF_TOKEN"),
    ],
)
def test_what_errors_say(hub, folder, home, token, options, repo, revision, words):
    hub.add(REPO, folder, **options)
    outcome = call(hub.environment(home, token), fetch, repo, revision)
    assert isinstance(outcome.error, HubError)
    with pytest.raises(HubError, match=words):
        raise outcome.error
    assert str(outcome.error).startswith(f"hf://{repo}@{revision}: ")


def test_who_may_reads_gated_and_private_ones(hub, folder, home):
    hub.add(REPO, folder, private=True, gated=True)
    assert call(hub.environment(home, OWNER), fetch, REPO).value.keys() == FILES


def test_no_checkpoint_of_the_zoo(hub, home):
    hub.add(REPO, {"model.safetensors": b"x"})
    error = call(hub.environment(home), fetch, REPO).error
    assert "has no zoo.json, so it is not a checkpoint of the zoo" in str(error)
    assert hub.count("model.safetensors") == 0


def test_a_file_that_the_card_names_is_missing(hub, folder, home):
    (folder / "model.safetensors").unlink()
    hub.add(REPO, folder)
    error = call(hub.environment(home), fetch, REPO).error
    assert isinstance(error, HubError)
    assert "has no model.safetensors, though its card names it" in str(error)


def test_a_huge_card_is_not_downloaded(hub, home):
    hub.add(REPO, {"zoo.json": b" " * 1_000_001})
    error = call(hub.environment(home), fetch, REPO).error
    assert isinstance(error, CheckpointError)
    assert "has 1,000,001 bytes on the Hub where at most 1,000,000" in str(error)
    assert hub.count(method="GET") == 0


def test_weights_of_another_size_are_not_downloaded(hub, folder, home):
    (folder / "model.safetensors").write_bytes(b"x" * 10_000)
    hub.add(REPO, folder)
    error = call(hub.environment(home), fetch, REPO).error
    assert isinstance(error, CheckpointError)
    assert "model.safetensors has 10,000 bytes on the Hub where" in str(error)
    assert hub.count("model.safetensors", "GET") == 0


@pytest.mark.parametrize("token", [OWNER, "hf_wrong", "hf_bad\x01secret", "hf_sécret"])
def test_tokens_are_told_to_nobody(hub, folder, home, token):
    """Not in messages, tracebacks or logs, whatever goes wrong; nor to the host of the files."""
    hub.add(REPO, folder, gated=True)
    hub.fail("model.safetensors", Fault("reset"), forever=True)
    outcome = call(hub.environment(home, token, LOG_LEVEL="DEBUG"), fetch, REPO)
    assert isinstance(outcome.error, HubError)
    assert ("DEBUG" in outcome.printed) == token.isascii()
    assert "Traceback" in outcome.printed
    for secret in (token, token[-6:], ascii(token)[1:-1]):
        assert secret not in outcome.printed


@pytest.mark.parametrize(
    "address",
    [
        *("hf://", "hf://net", "hf://org/", "hf://org/net@", "hf://org/net/file", "hf://a/b/c@d"),
        *("hf://../../etc", "hf://org/net@../../x", "hf://org/..", "hf://org/net@a//b"),
        *("hf://org/a--b", "hf://org/net@-x", "hf://org/n\u00e9t", "hf://org/net\n", "hf:///net"),
    ],
)
def test_no_address(address):
    with pytest.raises(ZooError, match="named by 'hf://org/name'"):
        loading.load(address)


def test_addresses():
    assert remote.parse_address("hf://org/net") == ("org/net", "main")
    assert remote.parse_address("hf://o-r.g/n_et.10@refs/pr/1") == ("o-r.g/n_et.10", "refs/pr/1")


def test_another_card_than_the_pinned(hub, published, home):
    environment = hub.environment(home)
    outcome = call(environment, fetch, REPO, published, "0" * 64)
    assert isinstance(outcome.error, CheckpointError)
    assert "not the one that this zoo was published with" in str(outcome.error)
    assert hub.count("zoo.json", "GET") == 2
    assert not list(home.rglob("zoo.json"))
    card = hub.repos[REPO].files["zoo.json"]
    assert call(environment, fetch, REPO, published, card.sha256).value.keys() == FILES


def test_built_in_names(hub, published, home, template, tmp_path):
    """Downloaded once, then cached; a shipped one comes first; listing asks nobody."""
    pin = {"repo": REPO, "commit": published, "sha256": hub.repos[REPO].files["zoo.json"].sha256}
    pins, root = tmp_path / "pins.json", tmp_path / "shipped"
    pins.write_text(json.dumps({"maxnorm_mlp3.toy": pin}))

    def run(function, *arguments):
        return call(hub.environment(home), with_pins, str(pins), str(root), function, *arguments)

    assert run(listed).value == {"maxnorm_mlp3.toy": False}
    assert hub.requests == []
    assert run(card_name, "maxnorm_mlp3.toy").value == "maxnorm_mlp3.toy"
    expected = predict(template[1])
    np.testing.assert_array_equal(run(load, "maxnorm_mlp3.toy").value, expected)
    assert hub.count("model.safetensors", "GET") == 1
    hub.heal()
    np.testing.assert_array_equal(run(load, "maxnorm_mlp3.toy").value, expected)
    assert run(listed).value == {"maxnorm_mlp3.toy": True}
    pins.write_text(json.dumps({"maxnorm_mlp3.toy": pin | {"commit": "0" * 40}}))
    shutil.copytree(template[0], root / "maxnorm_mlp3.toy")
    np.testing.assert_array_equal(run(load, "maxnorm_mlp3.toy").value, expected)
    assert hub.requests == []


def test_a_pin_of_another_checkpoint(hub, published, home, tmp_path):
    pin = {"repo": REPO, "commit": published, "sha256": hub.repos[REPO].files["zoo.json"].sha256}
    pins = tmp_path / "pins.json"
    pins.write_text(json.dumps({"maxnorm_mlp3.other": pin}))
    arguments = str(pins), str(tmp_path), load, "maxnorm_mlp3.other"
    error = call(hub.environment(home), with_pins, *arguments).error
    assert isinstance(error, CheckpointError)
    assert "name must be 'maxnorm_mlp3.other' here" in str(error)


@pytest.mark.skipif(os.environ.get("ZOO_REAL_HUB") != "1", reason="needs ZOO_REAL_HUB=1 and a net")
def test_the_real_hub(home):
    """What a repository without a card, and a missing one, give on huggingface.co."""
    environment = {"HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_TOKEN": ""}
    error = call(environment, fetch, "hf-internal-testing/tiny-random-bert").error
    assert "not a checkpoint of the zoo" in str(error)
    error = call(environment, fetch, "hf-internal-testing/there-is-no-such-repository").error
    assert "no such repository" in str(error)
