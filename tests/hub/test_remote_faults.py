"""Networks, servers and machines that fail: the right model or a clear error, never half a one."""

import random

import numpy as np
import pytest

from tests.support.checkpoints import MLP, edit_card, make_checkpoint, predict
from tests.support.children import Child, call, fetch, load, on_small_disk
from tests.support.loopback.faults import Fault
from zoo.errors import CheckpointError, HubError
from zoo.hub import remote

pytestmark = pytest.mark.once

REPO = "org/net"
PART = 10 * 1024 * 1024  # what the client writes at once
LARGE = MLP | {"units": 1200}  # more than one part
NAMES = ("zoo.json", "model.safetensors")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def environment(hub, folder, home):
    """Of a client, where the checkpoint is on the Hub."""
    hub.add(REPO, folder)
    return hub.environment(home)


def right(files, folder) -> bool:
    return files == {name: (folder / name).read_bytes() for name in NAMES}


def usable(hub, environment, folder) -> bool:
    """Whether the cache gives the right files again, once nothing fails."""
    hub.heal()
    return right(call(environment, fetch, REPO).value, folder)


# ---------------------------------------------------------------------------- faults that pass by


BUSY = Fault("status", status=429, headers={"Retry-After": "0"})


@pytest.mark.parametrize(
    ("method", "name", "fault"),
    [
        ("HEAD", NAMES[0], Fault("close", at=-1)),
        ("HEAD", NAMES[0], Fault("reset", at=-1)),
        ("HEAD", NAMES[0], Fault("status")),
        ("HEAD", NAMES[0], BUSY),
        ("GET", NAMES[0], Fault("close", at=100)),
        ("GET", NAMES[0], Fault("reset", at=100)),
        ("GET", NAMES[1], Fault("close", at=100)),
        ("GET", NAMES[1], Fault("reset", at=100)),
        ("GET", NAMES[1], Fault("status")),
        ("GET", NAMES[1], BUSY),
        ("GET", NAMES[1], Fault("shorter")),
        ("GET", NAMES[1], Fault("stall", at=-1)),
        ("GET", NAMES[1], Fault("stall", at=50)),
    ],
)
def test_once(hub, environment, folder, method, name, fault):
    hub.fail(name, fault, method=method)
    outcome = call(environment, fetch, REPO)
    assert right(outcome.value, folder), outcome.printed
    assert hub.count(name, method) > 1


def test_one_line_while_the_server_is_silent(hub, environment, folder):
    hub.fail(NAMES[0], Fault("stall", at=-1), method="HEAD")
    outcome = call(environment | {"HF_HUB_ETAG_TIMEOUT": "4"}, fetch, REPO)
    assert right(outcome.value, folder)
    line = f"{hub.endpoint} has not answered for 3 seconds; still trying, for up to a minute."
    assert outcome.printed == f"WARNING:zoo:{line}\n"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A checkpoint whose file comes in two parts."""
    folder = tmp_path_factory.mktemp("large")
    model, _ = make_checkpoint(folder, args=LARGE)
    return folder, predict(model)


def test_goes_on_where_it_broke(hub, home, large):
    hub.add(REPO, large[0])
    size = (large[0] / NAMES[1]).stat().st_size
    hub.fail(NAMES[1], Fault("close", at=size - 10))
    assert right(call(hub.environment(home), fetch, REPO).value, large[0])
    ranges = [r.range for r in hub.requests if r.method == "GET" and r.path.endswith(NAMES[1])]
    assert ranges == [None, f"bytes={PART}-"]


def test_range_ignored(hub, home, large):
    hub.add(REPO, large[0])
    size = (large[0] / NAMES[1]).stat().st_size
    hub.fail(NAMES[1], Fault("close", at=size - 10), Fault("whole"))
    assert right(call(hub.environment(home), fetch, REPO).value, large[0])
    assert hub.count(NAMES[1], "GET") == 2


def test_flipped_bit_in_the_card(hub, environment, folder):
    """Though it may still be a valid card."""
    hub.fail(NAMES[0], Fault("flip", at=(folder / NAMES[0]).read_bytes().index(b"Somebody")))
    assert right(call(environment, fetch, REPO).value, folder)
    assert hub.count(NAMES[0], "GET") == 2


def test_flipped_bit_in_the_weights(hub, environment, template):
    hub.fail(NAMES[1], Fault("flip", at=1000))
    outcome = call(environment, load, f"hf://{REPO}")
    np.testing.assert_array_equal(outcome.value, predict(template[1]))
    assert "is damaged in the cache: downloading it again" in outcome.printed
    assert hub.count(NAMES[1], "GET") == 2


def test_file_cut_off_in_the_cache(hub, environment, folder, home):
    call(environment, fetch, REPO)
    hub.heal()
    for path in home.rglob(NAMES[1]):
        path.resolve().write_bytes(b"x")
    assert right(call(environment, fetch, REPO).value, folder)
    assert hub.count(NAMES[1], "GET") == 1


# ------------------------------------------------------------------------------ faults that last


@pytest.mark.parametrize(
    ("name", "method", "fault", "words"),
    [
        (NAMES[1], "GET", Fault("reset", at=9), "connection to .* broke: try again"),
        (NAMES[1], "HEAD", Fault("close", at=-1), "connection to .* broke: try again"),
        (NAMES[1], "GET", Fault("status"), r"answered with an error \(503\): try later"),
        (NAMES[1], "GET", Fault("status", status=404), r"error \(404\)"),
        (NAMES[1], "GET", Fault("longer"), "in another size than it said"),
        (NAMES[1], "HEAD", Fault("head_size"), "bytes on the Hub where"),
    ],
)
def test_forever(hub, environment, folder, name, method, fault, words):
    hub.fail(name, fault, method=method, forever=True)
    error = call(environment, fetch, REPO).error
    assert isinstance(error, HubError | CheckpointError)
    with pytest.raises(type(error), match=words):
        raise error
    assert usable(hub, environment, folder)


def test_no_waiting_for_hours(hub, environment, folder):
    hub.fail(NAMES[1], Fault("status", headers={"Retry-After": "3600"}), forever=True)
    error = call(environment, fetch, REPO).error
    assert "try later" in str(error)
    assert hub.count(NAMES[1], "GET") == 1
    assert usable(hub, environment, folder)


def test_the_hub_itself_has_damaged_weights(hub, environment, folder, home):
    hub.fail(NAMES[1], Fault("flip", at=1000), forever=True)
    error = call(environment, load, f"hf://{REPO}").error
    assert isinstance(error, CheckpointError)
    assert "has not the sha256 that its card names" in str(error)
    assert hub.count(NAMES[1], "GET") == 2
    assert not list(home.rglob(NAMES[1]))
    assert usable(hub, environment, folder)


def test_weights_that_do_not_fit_are_not_downloaded_again(hub, folder, home):
    edit_card(folder, lambda c: c["args"].update(units=6))
    hub.add(REPO, folder)
    error = call(hub.environment(home), load, f"hf://{REPO}").error
    assert isinstance(error, CheckpointError)
    assert hub.count(NAMES[1], "GET") == 1


def test_damaged_and_offline(hub, environment, folder, home):
    call(environment, fetch, REPO)
    for path in home.rglob(NAMES[1]):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    error = call(environment | {"HF_HUB_OFFLINE": "1"}, load, f"hf://{REPO}").error
    assert isinstance(error, HubError)
    assert "model.safetensors is not in the cache, and HF_HUB_OFFLINE" in str(error)
    assert usable(hub, environment, folder)


def test_a_cache_without_symbolic_links(hub, environment, folder, template, home):
    environment = environment | {"HF_HUB_DISABLE_SYMLINKS": "1"}
    hub.fail(NAMES[1], Fault("flip", at=1000))
    outcome = call(environment, load, f"hf://{REPO}")
    np.testing.assert_array_equal(outcome.value, predict(template[1]))
    assert not any(path.is_symlink() for path in home.rglob("*"))
    assert usable(hub, environment, folder)


def test_no_server_but_a_cache(hub, environment, folder):
    call(environment, fetch, REPO)
    outcome = call(environment | {"HF_ENDPOINT": "http://127.0.0.1:9"}, fetch, REPO)
    assert right(outcome.value, folder)


def test_full_disk(hub, home, large):
    hub.add(REPO, large[0])
    environment = hub.environment(home)
    size = (large[0] / NAMES[1]).stat().st_size
    for limit in (100, size - 1):
        error = call(environment, on_small_disk, limit, fetch, REPO).error
        assert isinstance(error, HubError)
        assert "the disk has no room for" in str(error)
        assert "zoo cache clean" in str(error)
        assert not list(home.rglob("*.incomplete"))
    assert usable(hub, environment, large[0])


def test_cache_that_cannot_be_written(hub, environment, folder, home):
    home.write_text("a file where a folder should be")
    error = call(environment, fetch, REPO).error
    assert isinstance(error, HubError)
    assert "cannot be written: set HF_HUB_CACHE" in str(error)


# ---------------------------------------------------------------------------------- processes


def test_killed_at_any_byte(hub, home, large):
    """Twenty times, in one cache: what they leave hinders nobody."""
    hub.add(REPO, large[0])
    environment = hub.environment(home)
    rng = random.Random(0)
    sizes = [(large[0] / name).stat().st_size for name in NAMES]
    for i in range(20):
        name, size = (NAMES[0], sizes[0]) if i < 4 else (NAMES[1], sizes[1])
        if i == 4:
            call(environment, fetch_card, REPO)
        child = []
        hub.fail(name, Fault("call", at=rng.randrange(size), action=lambda c=child: c[0].kill()))
        child.append(Child(environment, fetch, REPO))
        assert child[0].wait() is None
        assert child[0].process.wait() == -9
    np.testing.assert_array_equal(call(environment, load, f"hf://{REPO}").value, large[1])
    assert right(call(environment, fetch, REPO).value, large[0])


def fetch_card(repo):
    remote.fetch(repo, weights=False)


def test_two_at_once(hub, environment, template):
    """Into an empty cache."""
    children = [Child(environment, load, f"hf://{REPO}") for _ in range(2)]
    for child in children:
        np.testing.assert_array_equal(child.wait().value, predict(template[1]))
