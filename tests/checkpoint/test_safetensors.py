"""Files of safetensors: what is read, and every way in which a header can lie."""

import json

import numpy as np
import pytest
import safetensors.numpy

from zoo.checkpoint.safetensors import MAX_HEADER, parse_tensors
from zoo.errors import CheckpointError

pytestmark = pytest.mark.once


def file_of(header, numbers: bytes = b"", length: int | None = None) -> np.ndarray:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    return np.frombuffer(length.to_bytes(8, "little") + text + numbers, "uint8")


def entry(shape, start, stop, dtype="F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_reads_what_the_library_writes():
    rng = np.random.default_rng(0)
    arrays = {
        "a/kernel": rng.normal(size=(3, 3, 4, 5)).astype("float32"),
        "a/scalar": np.array(3, "float32"),
        "b/half": rng.normal(size=(7,)).astype("float16"),
        "b/none": np.zeros((0, 5), "float64"),
        "ü": np.arange(3, dtype="uint8"),
    }
    data = np.frombuffer(safetensors.numpy.save(arrays, {"format": "pt"}), "uint8")
    tensors = parse_tensors(data, "x")
    assert tensors.keys() == arrays.keys()
    for name, (dtype, shape, numbers) in tensors.items():
        assert shape == arrays[name].shape
        assert dtype == {"f": "F", "u": "U"}[arrays[name].dtype.kind] + str(
            8 * arrays[name].itemsize
        )
        assert numbers.tobytes() == arrays[name].tobytes()
        assert not numbers.size or np.shares_memory(numbers, data)


def test_no_tensors():
    assert parse_tensors(file_of({}), "x") == {}


TWO = {"a": entry([2], 0, 8), "b": entry([2], 8, 16)}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({**TWO, "b": entry([2], 4, 12)}, ["'b' begins at byte 4", "not at 8"]),
        ({**TWO, "b": entry([2], 12, 20)}, ["'b' begins at byte 12"]),
        ({**TWO, "b": entry([2], 0, 8)}, ["begins at byte 0"]),
        ({"b": entry([2], 8, 16)}, ["begins at byte 8", "not at 0"]),
        ({"a": entry([2], 0, 8)}, ["16 bytes of data", "have 8"]),
        ({**TWO, "c": entry([2**40], 16, 16 + 2**42)}, ["16 bytes of data"]),
        ({**TWO, "b": entry([2], 16, 8)}, ["'b' is no tensor"]),
        ({**TWO, "b": entry([-2], 8, 0)}, ["no tensor"]),
        ({**TWO, "a": entry([2], -8, 0)}, ["no tensor"]),
        ({**TWO, "b": entry([3], 8, 16)}, ["no tensor"]),
        ({**TWO, "b": entry([2.0], 8, 16)}, ["no tensor"]),
        ({**TWO, "b": entry([True, 2], 8, 16)}, ["no tensor"]),
        ({**TWO, "b": entry([1] * 100_000 + [2], 8, 16)}, ["no tensor"]),
        ({**TWO, "b": entry([10**17] * 100_000, 8, 16)}, ["no tensor"]),
        ({**TWO, "b": entry([2**32, 2**32], 8, 8)}, ["no tensor"]),  # 0 in 64 bits
        ({**TWO, "b": entry([2], 8, 16, "F31")}, ["no tensor", "F31"]),
        ({**TWO, "b": entry([2], 8, 16, ["F32"])}, ["no tensor"]),
        ({**TWO, "b": entry([2], 8, 16, None)}, ["no tensor"]),
        ({**TWO, "b": {**entry([2], 8, 16), "more": 1}}, ["no tensor", "more"]),
        ({**TWO, "b": {"dtype": "F32", "shape": [2]}}, ["no tensor"]),
        ({**TWO, "b": {**entry([2], 8, 16), "data_offsets": [8, 16, 16]}}, ["no tensor"]),
        ({**TWO, "b": None}, ["no tensor"]),
        ({"a": entry([2], 0, 8), "\ud800": entry([2], 8, 16)}, [r"'\ud800' is no tensor"]),
        ({"a": entry([2], 0, 8), "\x1b[2J": entry([2], 8, 16)}, [r"\x1b[2J"]),
        ({**TWO, "__metadata__": {"a": 1}}, ["__metadata__"]),
        ({**TWO, "__metadata__": None}, ["__metadata__"]),
        ([], ["must be an object"]),
        (b'{"a":1,"a":2}', ["'a' occurs twice"]),
        (b'{"a":' * 500_000, ["nested too deeply"]),
        (b'{"a":' + b"9" * 100_000 + b"}", ["integer of 100000 digits"]),
        (b'{"a":"\xff"}', ["not UTF-8"]),
        (b"  ", ["not valid JSON"]),
        (b"\0\0", ["not valid JSON"]),
    ],
)
def test_headers_that_lie(header, words):
    with pytest.raises(CheckpointError, match=r"^x: ") as error:
        parse_tensors(file_of(header, bytes(16)), "x")
    for word in words:
        assert word in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("length", [0, 1, 3, 100, 2**31, 2**63, 2**64 - 1, MAX_HEADER + 1])
def test_lengths_that_lie(length):
    with pytest.raises(CheckpointError, match=r"not a safetensors file|not valid JSON"):
        parse_tensors(file_of(b"{}", length=length), "x")


@pytest.mark.parametrize("size", range(10))
def test_stumps(size):
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        parse_tensors(file_of(b"{}")[:size], "x")


def test_header_over_the_limit():
    text = b"{}" + b" " * MAX_HEADER
    with pytest.raises(CheckpointError, match="header of 4,000,002 bytes"):
        parse_tensors(file_of(text), "x")
