"""Whatever bytes come, only a ZooError comes out, or a model that the card describes."""

import json
import os
import shutil

import pytest
from hub_helpers import write_weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import CheckpointError
from zoo.hub import load_checkpoint, parse_card

QUICK = settings(
    max_examples=int(os.environ.get("ZOO_FUZZ", "200")),
    deadline=None,
    derandomize="ZOO_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
PIECES = [b'"', b"}", b"9", b"F16", b"[0,0]", b"1e9", b"-1", b"\\", b",", b" "]
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3)
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory, template):
    folder = shutil.copytree(template[0], tmp_path_factory.mktemp("fuzz") / "toy")
    names = ("zoo.json", "model.safetensors")
    return folder, {name: (folder / name).read_bytes() for name in names}


def places(value, path=()):
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@st.composite
def changed_cards(draw, text: str):
    card = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places(card))))
        parent = card
        for key in path:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "argument", "remove", "add"])):
            case "remove":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(VALUES)
            case "argument":
                names = ["units", "num_classes", "input_shape", "norm", "max_norm", "activation"]
                extremes = st.sampled_from([0, 1, 65536, 1e308, [65536] * 3, [1], "none", None])
                card.setdefault("args", {})
                if isinstance(card["args"], dict):
                    card["args"][draw(st.sampled_from(names))] = draw(VALUES | extremes)
            case _:
                parent[last] = draw(VALUES)
        if not list(places(card)):
            break
    return json.dumps(card).encode()


def harmless(folder) -> None:
    try:
        model = load_checkpoint(folder)
    except CheckpointError as error:
        message = str(error)
    else:
        assert model.count_params() == 223
        return
    assert str(folder) in message
    assert len(message) < 2000


@QUICK
@given(data=st.data())
def test_changed_cards(pristine, data):
    folder, files = pristine
    (folder / "model.safetensors").write_bytes(files["model.safetensors"])
    (folder / "zoo.json").write_bytes(data.draw(changed_cards(files["zoo.json"].decode())))
    harmless(folder)


def spoil(data, content: bytes) -> bytes:
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        # Mostly in the header, where it matters.
        end = len(content) if data.draw(st.booleans()) else min(1500, len(content))
        at = data.draw(st.integers(0, max(end - 1, 0)))
        piece = data.draw(st.binary(min_size=1, max_size=8) | st.sampled_from(PIECES))
        match data.draw(st.sampled_from(["over", "over", "insert", "cut"])):
            case "over":
                content[at : at + len(piece)] = piece
            case "insert":
                content[at:at] = piece
            case "cut":
                del content[at : at + len(piece)]
    return bytes(content)


@QUICK
@given(data=st.data())
def test_changed_weights_that_the_card_vouches_for(pristine, data):
    folder, files = pristine
    (folder / "zoo.json").write_bytes(files["zoo.json"])
    write_weights(folder, spoil(data, files["model.safetensors"]))
    harmless(folder)


@QUICK
@given(data=st.data())
def test_changed_bytes_of_a_card(pristine, data):
    try:
        parse_card(spoil(data, pristine[1]["zoo.json"]), "zoo.json")
    except CheckpointError as error:
        message = str(error)
    else:
        return
    assert message.startswith("zoo.json")


@QUICK
@given(value=VALUES)
def test_any_json(value):
    with pytest.raises(CheckpointError, match=r"^zoo\.json"):
        parse_card(json.dumps(value).encode(), "zoo.json")
