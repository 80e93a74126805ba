"""Whatever bytes come, only a CheckpointError comes out, or what the bytes say.

`ZOO_FUZZ=50` runs fifty times as many cases, other ones each time.
"""

import gc
import json
import os
import random
import shutil
import socket
import tracemalloc

import keras
import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.checkpoints import make_card, write_weights
from zoo.checkpoint import FileEntry, load_checkpoint, parse_card, to_json
from zoo.checkpoint.safetensors import parse_tensors
from zoo.errors import CheckpointError

pytestmark = [pytest.mark.once, pytest.mark.release]


def cases(count: int) -> settings:
    return settings(
        max_examples=count * int(os.environ.get("ZOO_FUZZ", "1")),
        deadline=None,
        derandomize="ZOO_FUZZ" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


class Pairs(list):
    """A JSON object as a list of pairs: keys may come twice."""


class Raw(str):
    """JSON text as it stands, valid or not."""


HOSTILE = [
    Raw(text)
    for text in (
        *("null", "true", "0", "1", "-1", "-0.0", "1.5", "1e308", "1e999", "NaN", "-Infinity"),
        *("9" * 18, "9" * 19, "9" * 5000, str(2**31), str(2**63), "4611686018427387904"),
        *('""', '"a"', '"../../etc/passwd"', '"/dev/zero"', f'"{"a" * 5000}"', '"F64"', '"F32"'),
        *(r'"\ud800"', r'"\u0000"', r'"\u202e"', '"\0"', '"\x7f"', "'a'", "01", "0x10", "1_0"),
        *("[]", "{}", "[0]", "[0,1]", "[65536,65536,3]", "[" * 99 + "]" * 99, "[" * 20000),
        *('{"a":1,"a":2}', '{"__proto__":1}', "[]]", "{", "}", ",", "", " ", "\n"),
    )
]
KEYS = ["", "a", "args", "files", "units", "width", "dtype", "shape", "data_offsets"]
KEYS += ["__metadata__", "__class__", "../x", "\0", "\ud800", "a" * 5000]


def dump(value) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(k)}:{dump(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


def containers(value):
    """All objects and lists in a JSON value that are not empty."""
    if isinstance(value, list) and value:
        yield value
        for item in value:
            yield from containers(item[1] if isinstance(value, Pairs) else item)


def change(choose, tree) -> None:
    """One change anywhere; `choose` picks from a list."""
    node = choose(list(containers(tree)) or [[0]])
    at = choose(range(len(node)))
    value = choose(HOSTILE)
    keyed = isinstance(node, Pairs)
    action = choose(["value", "value", "value", "key", "delete", "repeat", "extend", "exchange"])
    if action == "delete":
        del node[at]
    elif action == "repeat":
        node.insert(choose(range(len(node) + 1)), node[at])
    elif action == "extend":
        node.append((choose(KEYS), value) if keyed else value)
    elif action == "exchange":
        other = choose(range(len(node)))
        (a, x), (b, y) = (node[i] if keyed else (None, node[i]) for i in (at, other))
        node[at], node[other] = ((a, y), (b, x)) if keyed else (y, x)
    elif keyed:
        key, old = node[at]
        node[at] = (choose(KEYS), old) if action == "key" else (key, value)
    else:
        node[at] = value


def changed_json(choose, text: str) -> bytes:
    tree = json.loads(text, object_pairs_hook=Pairs)
    for _ in range(choose([1, 1, 2, 3])):
        change(choose, tree)
    return dump(tree).encode("utf-8", "surrogatepass")


PIECES = [
    b'"',
    b"}",
    b"{",
    b"9",
    b"F16",
    b"[0,0]",
    b"1e9",
    b"-1",
    b"\\",
    b",",
    b" ",
    b"\0",
    b"\xff",
]


def changed_bytes(choose, content: bytes) -> bytes:
    content = bytearray(content)
    for _ in range(choose([1, 1, 2, 4])):
        # Mostly at the beginning, where it matters.
        at = choose(range(choose([9, 1500, max(len(content), 1)])))
        match choose(["flip", "flip", "over", "insert", "cut", "end"]):
            case "flip" if at < len(content):
                content[at] ^= 1 << choose(range(8))
            case "over":
                piece = choose(PIECES)
                content[at : at + len(piece)] = piece
            case "insert":
                content[at:at] = choose(PIECES) * choose([1, 1, 100])
            case "cut":
                del content[at : at + choose([1, 8, 1000])]
            case "end":
                del content[at:]
    return bytes(content)


@st.composite
def changed(draw, how, content):
    return how(lambda items: items[draw(st.integers(0, len(items) - 1))], content)


def weights_file(header: bytes, numbers: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + numbers


CARD = to_json(make_card(files={"model.safetensors": FileEntry(1000, "0" * 64)}))
NUMBERS = bytes(range(1, 61))
HEADER = json.dumps(
    {
        "__metadata__": {"format": "np"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b/c": {"dtype": "F32", "shape": [], "data_offsets": [24, 28]},
        "d": {"dtype": "F16", "shape": [4, 2, 2], "data_offsets": [28, 60]},
        "e": {"dtype": "I8", "shape": [0, 9], "data_offsets": [60, 60]},
    }
)
FILE = weights_file(HEADER.encode(), NUMBERS)


@pytest.fixture(scope="module", autouse=True)
def no_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection"))
        yield


def check_card(data: bytes) -> None:
    try:
        card = parse_card(data, "zoo.json")
    except CheckpointError as error:
        message = str(error)
    else:
        assert parse_card(to_json(card).encode(), "again") == card
        return
    assert message.startswith("zoo.json: ")
    assert len(message) < 2000
    assert message.isprintable() or "\n" not in message


def check_tensors(data: bytes) -> None:
    """What is accepted is also what the library of the format reads."""
    try:
        tensors = parse_tensors(np.frombuffer(data, "uint8"), "model.safetensors")
    except CheckpointError as error:
        message = str(error)
    else:
        reference = dict(safetensors.deserialize(data))
        assert tensors.keys() == reference.keys()
        for name, tensor in tensors.items():
            other = reference[name]
            assert (tensor.dtype, list(tensor.shape)) == (other["dtype"], other["shape"])
            assert tensor.data.tobytes() == other["data"]
        return
    assert message.startswith("model.safetensors: ")
    assert len(message) < 2000


@cases(3500)
@given(data=changed(changed_json, CARD))
def test_changed_fields_of_a_card(data):
    check_card(data)


@cases(2000)
@given(data=changed(changed_bytes, CARD.encode()))
def test_changed_bytes_of_a_card(data):
    check_card(data)


@cases(3000)
@given(header=changed(changed_json, HEADER), cut=st.sampled_from([0, 0, 0, 1, 4, 60]))
def test_changed_fields_of_a_header(header, cut):
    check_tensors(weights_file(header, NUMBERS[cut:]))


@cases(1500)
@given(data=changed(changed_bytes, FILE))
def test_changed_bytes_of_weights(data):
    check_tensors(data)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory, template):
    folder = shutil.copytree(template[0], tmp_path_factory.mktemp("fuzz") / "toy")
    return folder, (folder / "zoo.json").read_text(), (folder / "model.safetensors").read_bytes()


def check_folder(folder) -> None:
    try:
        model = load_checkpoint(folder)
    except CheckpointError as error:
        message = str(error)
    else:
        stored = safetensors.deserialize((folder / "model.safetensors").read_bytes())
        stored = {name: np.frombuffer(tensor["data"], "<f4") for name, tensor in stored}
        assert stored.keys() == {v.path for v in model.weights}
        for v in model.weights:
            values = keras.ops.convert_to_numpy(v.value)
            np.testing.assert_array_equal(values.ravel(), stored[v.path])
        return
    assert str(folder) in message
    assert len(message) < 2000


@cases(200)
@given(data=st.data())
def test_folder_with_a_changed_card(pristine, data):
    folder, card, weights = pristine
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "zoo.json").write_bytes(data.draw(changed(changed_json, card)))
    check_folder(folder)


@cases(200)
@given(data=st.data())
def test_folder_with_changed_arguments(pristine, data):
    folder, card, weights = pristine
    (folder / "model.safetensors").write_bytes(weights)
    args = data.draw(changed(changed_json, json.dumps(json.loads(card)["args"])))
    card = card.replace('"args": {', '"args": @@{', 1)
    head, _, tail = card.partition("@@")
    (folder / "zoo.json").write_bytes(head.encode() + args + tail[tail.index("}") + 1 :].encode())
    check_folder(folder)


@cases(200)
@given(data=st.data())
def test_folder_whose_card_vouches_for_changed_weights(pristine, data):
    folder, card, weights = pristine
    (folder / "zoo.json").write_text(card)
    write_weights(folder, data.draw(changed(changed_bytes, weights)))
    check_folder(folder)


def test_memory():
    """Nothing that a file asks for is allocated, and nothing stays."""
    choose = random.Random(0).choice
    cards = [changed_json(choose, CARD) for _ in range(200)]
    files = [weights_file(changed_json(choose, HEADER), NUMBERS) for _ in range(200)]

    def run():
        for data in cards:
            check_card(data)
        for data in files:
            check_tensors(data)
        gc.collect()

    run()
    tracemalloc.start()
    try:
        run()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000
    assert peak < 5_000_000
