"""Files of torch.save, made by hand: pickles of one's own, and what they must be refused with."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from zoo.errors import CheckpointError
from zoo.formats.torch_file import read_torch_file


def write(path, program: bytes, storages=None, compression=zipfile.ZIP_STORED, **entries):
    """A file as torch.save writes it, around a pickle of one's own."""
    storages = {"0": np.arange(6, dtype="<f4").tobytes()} if storages is None else storages
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        for name, data in {**entries, **{f"data/{k}": v for k, v in storages.items()}}.items():
            archive.writestr(f"archive/{name}", data)
    return path


class Storage:
    """Pickles as PyTorch's storages do."""

    def __init__(self, count=6, key="0", kind="FloatStorage"):
        self.id = ("storage", Name(f"torch\n{kind}"), key, "cpu", count)


class Name:
    """Pickles as the bare name of something in a module that need not exist."""

    def __init__(self, name: str):
        self.name = name


class Called:
    """Pickles as the call of a name."""

    def __init__(self, name: str, *arguments, state=None):
        self.parts = (name, arguments, state)


class Pickler(pickle._Pickler):
    """Writes the protocol of torch.save, also of things that PyTorch would not write."""

    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Name):
            self.write(b"c" + value.name.encode() + b"\n")
        elif isinstance(value, Called):
            name, arguments, state = value.parts
            self.write(b"c" + name.encode() + b"\n")
            self.save(arguments)
            self.write(b"R")
            if state is not None:
                self.save(state)
                self.write(b"b")
        else:
            super().save(value, save_persistent_id)


def pickled(value) -> bytes:
    file = io.BytesIO()
    Pickler(file, 2).dump(value)
    return file.getvalue()


def tensor(size=(2, 3), stride=(3, 1), offset=0, storage=None, **state):
    storage = Storage() if storage is None else storage
    arguments = (storage, offset, size, stride, False, Called("collections\nOrderedDict"))
    return Called("torch._utils\n_rebuild_tensor_v2", *arguments, **state)


def refused(path, message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
