"""Files of torch.save with bytes changed at random: refused, or read without harm."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.torch_files import pickled, tensor, write
from zoo.errors import CheckpointError
from zoo.formats.torch_file import read_torch_file

# Python's reader of pickles warns of text that is escaped wrongly.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]
QUICK = settings(
    max_examples=int(os.environ.get("ZOO_FUZZ", "300")),
    deadline=None,
    derandomize="ZOO_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    program = pickled({"a": tensor(), "b": {"c": [tensor((2,), (1,), 4), None, 1.5]}})
    return folder, write(folder / "x.pt", program).read_bytes(), program


def harmless(path) -> None:
    try:
        read = read_torch_file(path)
    except CheckpointError as error:
        message = str(error)
    else:
        assert isinstance(read, dict)
        return
    assert str(path) in message
    assert len(message) < 1000


def spoil(data, content: bytes) -> bytes:
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        piece = data.draw(
            st.binary(min_size=1, max_size=6)
            | st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"R", b"b", b"u", b"Q", b"h\1"])
        )
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
def test_changed_bytes_of_a_file(pristine, data):
    folder, content, _ = pristine
    path = folder / "changed.pt"
    path.write_bytes(spoil(data, content))
    harmless(path)


@QUICK
@given(data=st.data())
def test_changed_programs(pristine, data):
    folder, _, program = pristine
    harmless(write(folder / "program.pt", spoil(data, program)))


@QUICK
@given(program=st.binary(max_size=60))
def test_any_program(pristine, program):
    harmless(write(pristine[0] / "any.pt", program))
