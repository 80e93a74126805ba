"""Publishing: one commit that comes back as it was sent, and a name that keeps its weights."""

import hashlib
import json

import numpy as np
import pytest

from tests.support.checkpoints import images, make_card, make_checkpoint, make_model, predict
from tests.support.children import call, cli, load, with_pins
from tests.support.helpers import run_python
from tests.support.loopback import OWNER, READER
from tests.support.loopback.faults import Fault
from tests.support.loopback.routes import HubRoutes
from tests.support.publishing import fine_tune, publish
from zoo.checkpoint import parse_card, save_checkpoint
from zoo.errors import HubError, ZooError
from zoo.hub.publish import Published, write_pin

pytestmark = pytest.mark.once

TO = "hf://org/toy"
KERAS = {"config.json", "metadata.json", "model.weights.h5"}
FILES = {"README.md", "model.safetensors", "zoo.json", *KERAS}

WITHOUT_ZOO = """
import sys
sys.modules["zoo"] = None
import keras, numpy as np
model = keras.saving.load_model("hf://org/toy")
np.save(sys.argv[1] + "/y.npy", model.predict(np.load(sys.argv[1] + "/x.npy"), verbose=0))
"""


@pytest.fixture
def environment(hub, tmp_path):
    return hub.environment(tmp_path / "home", OWNER)


def sent(published: Published) -> set[str]:
    return {c.name for c in published.files if c.what in ("new", "changed")}


def writes(hub) -> list[str]:
    """Requests that change something."""
    paths = [r.path for r in hub.requests if r.method not in ("GET", "HEAD")]
    return [p for p in paths if not p.endswith(("validate-yaml", "paths-info"))]


def test_publish_pin_load(hub, environment, folder, template, tmp_path):
    (folder / "curve.png").write_bytes(b"a picture")
    (published,) = call(environment, publish, (folder, TO, {"tag": "v1"})).value
    repo = hub.repos["org/toy"]
    assert published.commit == repo.head == repo.tags["v1"]
    assert len(repo.commits) == 2  # the Hub's own first one, and ours
    assert repo.messages[repo.head] == "maxnorm_mlp3.toy, version 1"
    assert sent(published) == repo.files.keys() - {".gitattributes"} == FILES | {"curve.png"}
    for change in published.files:
        data = repo.files[change.name].data
        assert (change.size, change.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    # What was on the disk stays as it was, and goes up as it was.
    assert not KERAS & {path.name for path in folder.iterdir()}
    weights = "model.safetensors"
    assert repo.files[weights].data == (folder / weights).read_bytes()
    card = parse_card(repo.files["zoo.json"].data, "zoo.json")
    assert card.files.keys() == KERAS | {weights}
    text = repo.files["README.md"].data.decode()
    assert f'zoo.load("{TO}")' in text
    assert "![Error by epoch](curve.png)" in text

    pins = tmp_path / "pins.json"
    pins.write_text("{}")
    write_pin(published, pins)
    expected = predict(template[1])
    empty = hub.environment(tmp_path / "empty")
    arguments = (str(pins), str(tmp_path / "nothing shipped"), load, "maxnorm_mlp3.toy")
    outcome = call(empty, with_pins, *arguments)
    np.testing.assert_array_equal(outcome.value, expected, outcome.printed)
    for address in (TO, f"{TO}@v1", published.url):
        np.testing.assert_array_equal(call(empty, load, address).value, expected)

    np.save(tmp_path / "x.npy", images(template[1]))
    result = run_python(WITHOUT_ZOO, str(tmp_path), **hub.environment(tmp_path / "keras"))
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)


def test_what_is_there_is_not_sent_again(hub, environment, template):
    folder = template[0]
    calls = [(folder, TO, {}), (folder, TO, {}), (folder, TO, {"license": "MIT", "tag": "v1"})]
    first, same, other = call(environment, publish, *calls).value
    assert len(hub.repos["org/toy"].commits) == 3
    assert same.commit == first.commit
    assert sent(same) == set()
    assert sent(other) == {"zoo.json", "README.md"}
    assert {c.what for c in other.files} == {"changed", "unchanged"}
    assert hub.repos["org/toy"].tags == {"v1": other.commit}
    assert sum(r.method == "PUT" for r in hub.requests) == 2  # the two large files, once


def test_a_published_name_keeps_its_weights(hub, environment, template, tmp_path):
    first = template[0]
    make_checkpoint(tmp_path / "other", name="maxnorm_mlp3.other")
    save_checkpoint(make_model(make_card(), seed=2), tmp_path / "trained", make_card())
    calls = [
        (first, TO, {"tag": "v1"}),
        (tmp_path / "trained", TO, {}),
        (tmp_path / "other", TO, {}),
        (first, TO, {"dtype": "float16"}),
        (first, TO, {"license": "MIT", "tag": "v1"}),
        (tmp_path / "trained", TO, {"version": 2, "tag": "v2", "max_shard_size": 400}),
        (first, TO, {}),
        (first, TO, {"version": 3, "dtype": "float16"}),
    ]
    done = call(environment, publish, *calls).value
    refusals = {
        1: r"holds version 1 of maxnorm_mlp3\.toy with other weights.*Give version=2",
        2: "holds maxnorm_mlp3.toy, and a repository holds one checkpoint",
        3: r"The weights are not those of maxnorm_mlp3\.toy, version 1.*version=2",
        4: "has a tag 'v1' already",
        6: "holds version 2.*Give version=3",
    }
    for i, words in refusals.items():
        with pytest.raises(ZooError, match=words):
            raise done[i]
    repo = hub.repos["org/toy"]
    assert len(repo.commits) == 4
    assert repo.tags == {"v1": done[0].commit, "v2": done[5].commit}
    # The third is one file again.
    removed = {c.name for c in done[7].files if c.what == "removed"}
    assert removed == {c.name for c in done[5].files if c.name.startswith("model-00")} | {
        "model.safetensors.index.json"
    }
    assert repo.files.keys() == FILES | {".gitattributes"}
    assert 0 < done[7].rounding < 2**-11
    assert done[0].rounding == 0
    card = parse_card(repo.files["zoo.json"].data, "zoo.json")
    assert (card.dtype, card.version, card.metrics) == ("float16", 3, ())


def test_a_commit_in_between(hub, environment, template, monkeypatch):
    """Somebody else's, after this client looked and before it commits."""
    commit = HubRoutes.commit

    def late(self, repo, revision):
        self.hub.add(repo, {"notes.txt": b"mine"}, "meanwhile")
        return commit(self, repo, revision)

    call(environment, publish, (template[0], TO, {}))
    monkeypatch.setattr(HubRoutes, "commit", late)
    (error,) = call(environment, publish, (template[0], TO, {"license": "MIT"})).value
    with pytest.raises(HubError, match="somebody has committed to it meanwhile"):
        raise error
    files = hub.repos["org/toy"].files
    assert files["notes.txt"].data == b"mine"
    assert parse_card(files["zoo.json"].data, "zoo.json").license == "Apache-2.0"
    monkeypatch.undo()
    (again,) = call(environment, publish, (template[0], TO, {"license": "MIT"})).value
    assert sent(again) == {"zoo.json", "README.md"}
    assert hub.repos["org/toy"].files["notes.txt"].data == b"mine"  # not ours, not touched


def test_dry_run(hub, environment, template, tmp_path):
    folder, nobody = template[0], hub.environment(tmp_path / "nobody")
    dry = {"dry_run": True}
    (new,) = call(nobody, publish, (folder, TO, dry)).value
    assert hub.repos == {}
    assert (new.commit, new.pin, new.url) == (None, {}, TO)
    assert {(c.what, c.name) for c in new.files} == {("new", name) for name in FILES}
    lines = str(new).splitlines()
    assert lines[0] == f"maxnorm_mlp3.toy, version 1: {TO}"
    sizes = {line.split()[2]: line.split()[1] for line in lines[1:7]}
    assert sizes["model.safetensors"] == f"{(folder / 'model.safetensors').stat().st_size:,}"
    assert f"6 files, {sum(c.size for c in new.files):,} bytes to send" in lines[-1]

    call(environment, publish, (folder, TO, {}))
    head = hub.repos["org/toy"].head
    hub.heal()
    changed, same = call(
        nobody, publish, (folder, TO, {**dry, "license": "MIT"}), (folder, TO, dry)
    ).value
    assert sent(changed) == {"zoo.json", "README.md"}
    assert changed.commit is None
    assert same.commit == head
    assert hub.repos["org/toy"].head == head
    assert writes(hub) == []


def test_private(hub, environment, template, tmp_path):
    call(environment, publish, (template[0], TO, {"private": True}))
    assert hub.repos["org/toy"].private
    outcome = call(hub.environment(tmp_path / "empty", READER), load, TO)
    assert isinstance(outcome.error, HubError)


def test_tokens(hub, template, tmp_path):
    cases = [
        ("", TO, "publishing takes a token: log in"),
        ("hf_wrongwrongwrong", TO, "did not accept the token"),
        (READER, TO, "the token has no right to do this"),
        (OWNER, "hf://others/toy", "the token has no right to do this"),
    ]
    debug = {"LOG_LEVEL": "DEBUG"}
    calls = [(template[0], to, {"token": token}) for token, to, _ in cases]
    outcome = call(hub.environment(tmp_path / "home", **debug), publish, *calls)
    by_environment = hub.environment(tmp_path / "home", cases[1][0], **debug)
    second = call(by_environment, publish, (template[0], TO, {}))
    told = outcome.printed + second.printed + str(outcome.value + second.value)
    for (token, _, words), error in zip(
        [*cases, cases[1]], outcome.value + second.value, strict=True
    ):
        with pytest.raises(HubError, match=words):
            raise error
        assert not token or token not in told
    assert hub.repos == {}


def test_a_gated_repository_of_others(hub, environment, folder):
    hub.add("others/toy", folder, gated=True)
    (error,) = call(environment, publish, (folder, "hf://others/toy", {})).value
    with pytest.raises(HubError, match="grants access on request"):
        raise error


def test_what_does_not_come_back(hub, environment, template):
    hub.fail("model.safetensors", Fault("flip", 100), forever=True)
    (error,) = call(environment, publish, (template[0], TO, {})).value
    with pytest.raises(HubError, match=r"model\.safetensors did not come back as it was sent"):
        raise error


@pytest.mark.parametrize("to", ["org/toy", "hf://toy", f"{TO}@v1", "hf://a/b/c", "", 3])
def test_addresses(template, to):
    (error,) = publish((template[0], to, {}))
    with pytest.raises(ZooError, match="Received"):
        raise error


def test_fine_tune_and_publish(hub, environment, template, tmp_path):
    options = {"name": "maxnorm_mlp3.coins", "labels": ["head", "tail"]}
    outcome = call(environment, fine_tune, str(template[0]), TO, options)
    published, expected = outcome.value
    assert published.name == "maxnorm_mlp3.coins"
    again = call(hub.environment(tmp_path / "empty"), load, TO)
    np.testing.assert_array_equal(again.value, expected)
    card = parse_card(hub.repos["org/toy"].files["zoo.json"].data, "zoo.json")
    assert (card.labels, card.metrics, card.version) == (("head", "tail"), (), 1)
    assert card.args["num_classes"] == 2
    assert (card.training.origin.name, card.training.origin.version) == ("maxnorm_mlp3.toy", 1)
    assert (card.training.data, card.training.recipe) == ("coins", "")


def test_command(hub, environment, template, tmp_path):
    folder, pins = str(template[0]), tmp_path / "pins.json"
    pins.write_text("{}")
    code, out = call(environment, cli, "publish", folder, TO, "--dry-run", "--private").value
    assert (code, hub.repos) == (0, {})
    assert "this was a dry run" in out
    arguments = ("--private", "--tag", "v1", "--pin", str(pins), "--json")
    code, out = call(environment, cli, "publish", folder, TO, *arguments).value
    result = json.loads(out)
    repo = hub.repos["org/toy"]
    assert repo.private
    assert result["commit"] == repo.head == repo.tags["v1"]
    assert json.loads(pins.read_text()) == result["pin"]
    assert result["pin"]["maxnorm_mlp3.toy"]["commit"] == repo.head
    code, _ = call(environment, cli, "publish", str(tmp_path / "nowhere"), TO).value
    assert code == 2
