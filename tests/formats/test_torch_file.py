"""Files of torch.save, friendly and hostile: what they hold comes out, nothing of them runs."""

import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from tests.support.helpers import run_python
from tests.support.torch_files import Called, Storage, pickled, refused, tensor, write
from zoo.errors import CheckpointError
from zoo.formats.torch_file import read_torch_file

# Python's reader of pickles warns of text that is escaped wrongly.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_training_state(tmp_path, protocol):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    state = {
        "epoch": 3,
        "best": 76.5,
        "arch": "net",
        "device": torch.device("cuda", 1),
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "state_dict": net.state_dict(),
        "parameter": net[0].weight,
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, tmp_path / "state.t7", pickle_protocol=protocol)
    read = read_torch_file(tmp_path / "state.t7")
    assert list(read) == list(state)
    assert (read["epoch"], read["best"], read["arch"]) == (3, 76.5, "net")
    assert (read["device"], read["size"], read["dtype"]) == ("cuda:1", (2, 3), "float16")
    assert list(read["state_dict"]) == list(net.state_dict())
    for name, value in net.state_dict().items():
        assert read["state_dict"][name].dtype.name == str(value.dtype).partition(".")[2]
        np.testing.assert_array_equal(read["state_dict"][name], value.numpy())
    np.testing.assert_array_equal(read["parameter"], net[0].weight.detach().numpy())
    momentum = optimizer.state_dict()["state"][0]["momentum_buffer"].numpy()
    np.testing.assert_array_equal(read["optimizer"]["state"][0]["momentum_buffer"], momentum)


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "bool"],
)
def test_every_dtype(tmp_path, dtype):
    torch = pytest.importorskip("torch")
    values = torch.tensor([[0, 1, 100], [3, 7, 2]]).to(getattr(torch, dtype))
    torch.save({"x": values}, tmp_path / "x.pt")
    read = read_torch_file(tmp_path / "x.pt")["x"]
    assert read.dtype.name == ("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_array_equal(read, values.double().numpy())


def test_views_share_their_storage(tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(24.0).reshape(4, 6)
    views = {
        "whole": whole,
        "transposed": whole.T,
        "part": whole[1:3, 2:5],
        "steps": whole[::2, 1::3],
        "expanded": whole[0:1, :2].expand(3, 2),
        "scalar": whole[2, 3],
        "empty": whole[:0],
    }
    torch.save(views, tmp_path / "x.pt")
    read = read_torch_file(tmp_path / "x.pt")
    for name, value in views.items():
        np.testing.assert_array_equal(read[name], value.numpy())
        assert read[name].shape == tuple(value.shape)
    assert np.shares_memory(read["whole"], read["steps"])
    with pytest.raises(ValueError, match="read-only"):
        read["part"][0] = 1


def test_byte_order(tmp_path):
    big = {"0": np.arange(6, dtype=">f4").tobytes()}
    path = write(tmp_path / "x.pt", pickled({"x": tensor()}), big, byteorder=b"big")
    read = read_torch_file(path)["x"]
    np.testing.assert_array_equal(read, np.arange(6).reshape(2, 3))
    assert read.dtype.isnative
    refused(write(path, pickled({}), byteorder=b"middle"), "byteorder must be 'little' or 'big'")


def test_other_formats_say_how_to_save_again(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.t7"
    torch.save({"x": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    refused(path, "format of PyTorch before 1.6. Save it again with PyTorch: torch.save(")
    path.write_bytes(struct.pack("<ii", 4, 1) + b"\x03\0\0\0V 1")
    refused(path, "Lua Torch")
    path.write_bytes(b"something else")
    refused(path, "is no checkpoint of PyTorch")
    path.write_bytes(b"")
    refused(path, "is no checkpoint of PyTorch")
    refused(tmp_path / "no.pt", "is missing")
    refused(tmp_path, "is not a regular file")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
    refused(path, "no data.pkl")


def test_pytorch_is_not_needed(tmp_path):
    path = write(tmp_path / "x.pt", pickled({"x": tensor()}))
    result = run_python(
        "import sys\n"
        "import keras\n"
        "if keras.backend.backend() != 'torch':\n"
        "    sys.modules['torch'] = None\n"
        "from zoo.formats import read_torch_file\n"
        "print(read_torch_file(sys.argv[1])['x'].tolist())\n",
        str(path),
    )
    assert result.stdout.strip() == "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]", result.stderr


# -- what nobody should write


def hostile(trap: str) -> dict[str, bytes]:
    """Programs that run `os.system(trap)` or the like in Python's unpickler, or blow it up."""
    word = b"X" + struct.pack("<I", len(trap)) + trap.encode()
    return {
        "reduce": b"\x80\x02cposix\nsystem\n" + word + b"\x85R.",
        "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + word + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x05torch\x8c\x13_utils.os.system(x)\x93" + word + b"\x85R.",
        "inst": b"(" + word + b"iposix\nsystem\n.",
        "obj": b"(cposix\nsystem\n" + word + b"o.",
        "newobj": b"\x80\x02csubprocess\nPopen\n" + word + b"\x85\x81.",
        "eval": b"\x80\x02c__builtin__\neval\n" + word + b"\x85R.",
        "getattr": b"\x80\x02cbuiltins\ngetattr\ncposix\n__dict__\n" + word + b"\x86R.",
        "inst of an allowed name": b"(" + word + b"icollections\nOrderedDict\n.",
        "newobj of an allowed name": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        "extension": b"\x80\x02\x82\x01.",
        "build on a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        "build on a text": b"\x80\x02" + word + b"}b.",
        "call of a text": b"\x80\x02" + word + b")R.",
        "call of a dtype": b"\x80\x02ctorch\nFloatStorage\n)R.",
        "ordered dict of items": b"\x80\x02ccollections\nOrderedDict\n]\x85R.",
        "huge memo index": b"\x80\x02}r\xff\xff\xff\xff0.",
        "huge text": b"\x80\x04\x8d" + b"\xff" * 8 + b"x.",
        "huge integer": b"\x80\x02\x8b\xff\xff\xff\x7fx.",
        "underflow": b"\x80\x02\x85.",
        "no mark": b"\x80\x02}u.",
        "no memo": b"\x80\x02h\x07.",
        "odd items": b"\x80\x02}(" + word + b"u.",
        "deep key": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns.",
        "deep value": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        "list": b"\x80\x02].",
        "no end": b"\x80\x02}",
        "empty": b"",
        "persistent id of an array": b"\x80\x02]Q.",
        "old persistent id": b"P0\n.",
    }


@pytest.mark.parametrize("name", hostile(""))
def test_nothing_runs(tmp_path, name):
    mark = tmp_path / "ran"
    path = write(tmp_path / "x.pt", hostile(f"echo >{mark}")[name])
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not mark.exists()


def test_the_trap_would_work_elsewhere(tmp_path):
    mark = tmp_path / "ran"
    pickle.loads(hostile(f"echo >{mark}")["reduce"])
    assert mark.exists()


def test_errors_name_what_was_asked_for(tmp_path):
    for program, name in (
        (b"\x80\x02cargparse\nNamespace\n)\x81.", "'argparse.Namespace'"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93.", "'numpy.dtype'"),
        (b"(icopy\nx\n.", "'copy.x'"),
    ):
        refused(write(tmp_path / "x.pt", program), f"names {name}, which no state dict needs")


def test_a_friendly_program_of_our_own_is_read(tmp_path):
    program = pickled(OrderedDict(x=tensor(), y=tensor((3, 2), (1, 3))))
    read = read_torch_file(write(tmp_path / "x.pt", program))
    np.testing.assert_array_equal(read["x"], read["y"].T)


def test_build_keeps_nothing(tmp_path):
    program = pickled({"a": Called("collections\nOrderedDict", state={"__class__": 1, "get": 2})})
    assert read_torch_file(write(tmp_path / "x.pt", program)) == {"a": {}}


@pytest.mark.parametrize(
    "bad",
    [
        tensor((2, 4)),
        tensor(offset=1),
        tensor(offset=-1),
        tensor(offset=10**30),
        tensor(stride=(3, -1)),
        tensor(stride=(3,)),
        tensor(size=(True, 3)),
        tensor(size=(-1, 3)),
        tensor(size=(2.0, 3)),
        tensor(size=[2, 3]),
        tensor(size=(10**9,) * 3, stride=(0,) * 3),
        tensor(size=(0, 10**30), stride=(0, 0)),
        tensor(size=(1,) * 100, stride=(0,) * 100),
        tensor(storage=tensor((1000,), (0,))),
        tensor(storage="0"),
        tensor(storage=Storage(7)),
        tensor(storage=Storage(5)),
        tensor(storage=Storage(3, kind="DoubleStorage"), size=(3,), stride=(2,)),
        tensor(storage=Storage(kind="ComplexFloatStorage")),
        tensor(storage=Storage(key="1")),
        tensor(storage=Storage(key="../data.pkl")),
        tensor(storage=Storage(key=0)),
        Called("torch._utils\n_rebuild_tensor_v2", Storage()),
        Called("torch._utils\n_rebuild_tensor_v2", Storage(), 0, (1,), (1,), False, None, {"c": 1}),
        Called("torch._utils\n_rebuild_parameter", 1, True, None),
        Called("torch\nSize", "ab"),
        Called("torch\ndevice", [1]),
    ],
)
def test_tensors_that_cannot_be(tmp_path, bad):
    path = write(tmp_path / "x.pt", pickled({"x": bad}))
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        read_torch_file(path)


def test_size_of_expanded_tensors_costs_nothing(tmp_path):
    path = write(tmp_path / "x.pt", pickled({"x": tensor((10**6, 10**6), (0, 0))}))
    assert read_torch_file(path)["x"].shape == (10**6, 10**6)


def test_zip_bombs(tmp_path):
    path = tmp_path / "x.pt"
    write(path, pickled({"x": tensor()}), compression=zipfile.ZIP_DEFLATED)
    refused(path, "is compressed")
    write(path, pickled({"x": tensor()}), {"0": bytes(24)})
    data = path.read_bytes()
    entry = data.rindex(b"PK\x01\x02")  # in the directory: a size of 4 GB, stored
    path.write_bytes(data[: entry + 20] + b"\xf0\xff\xff\xff" * 2 + data[entry + 28 :])
    refused(path, "overlap")
    write(path, pickled({"x": "y" * 16_000_001}))
    refused(path, "larger than 16,000,000 bytes")
