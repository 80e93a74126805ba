"""Checkpoint files of PyTorch, read without PyTorch, and without running anything of them."""

import functools
import math
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo.checkpoint.schema import refuse, show
from zoo.errors import CheckpointError
from zoo.formats.torch_pickle import Call, read_pickle

_MAX_PICKLE = 16_000_000  # about 100,000 tensors
_OLD_FORMAT = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # PyTorch's magic number, pickled
_LUA = (b"\x03\0\0\0", b"\x04\0\0\0", b"3\n", b"4\n")  # a table or an object, binary or as text
_RESAVE = "Save it again with PyTorch: torch.save(torch.load(path, weights_only=True), new_path)"
# What zipfile raises for damaged files.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError),
    *(LookupError, OverflowError, MemoryError),
)

_STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


def read_torch_file(path: str | os.PathLike) -> dict[str | int, Any]:
    """The content of a file of `torch.save`: state dicts, and training states around them.

    The zip format is read, which PyTorch writes since version 1.6, whatever the file is called
    (.pt, .pth, .t7). The file is data here: it can name only tensors, parameters, ordered dicts,
    sizes, devices and dtypes of PyTorch, each of which stands for something of this module.

    Args:
        path: str or path, of the file.

    Returns:
        dict, what was saved: dicts and lists, with a read-only NumPy array for every tensor.
        bfloat16 comes as float32; tensors that share memory in the file share it here.

    Raises:
        CheckpointError: the file is missing, damaged, compressed, in the format before 1.6, of
            Lua Torch, names anything else (the error says what), or has a tensor that reaches
            outside its storage.

    Example:

    >>> state = zoo.formats.read_torch_file("resnet50.pth")  # doctest: +SKIP
    >>> state["conv1.weight"].shape  # doctest: +SKIP
    (64, 3, 7, 7)
    """
    path = Path(path)
    where = str(path)
    try:
        if not path.is_file():
            refuse(where, "is not a regular file" if path.exists() else "is missing")
        with open(path, "rb") as file:
            _check_kind(file.read(64), where)
        with zipfile.ZipFile(path) as archive:
            return _Reader(archive, path.stat().st_size, where).read()
    except CheckpointError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"{where} cannot be read: {reason}.") from error
    except _DAMAGED as error:
        raise CheckpointError(f"{where} is damaged: {str(error)[:100]}.") from error


def _check_kind(head: bytes, where: str) -> None:
    if head.startswith(b"PK\x03\x04"):
        return
    if _OLD_FORMAT in head:
        refuse(where, f"has the format of PyTorch before 1.6. {_RESAVE}")
    if head.startswith(_LUA):
        refuse(
            where,
            "looks like a file of Lua Torch. Load it with a reader for that, e.g. the package "
            "torchfile, and give zoo.convert the dict of arrays",
        )
    refuse(where, "is no checkpoint of PyTorch: torch.save writes zip files")


@dataclass(frozen=True)
class _StorageKind:
    dtype: str


@dataclass(frozen=True)
class _Storage:
    """Never an array itself: a tensor that stood for a storage would make the bounds wrong."""

    values: np.ndarray


class _Reader:
    """One open file: its entries, and the storages that were read."""

    def __init__(self, archive: zipfile.ZipFile, size: int, where: str):
        self.archive, self.where = archive, where
        entries = archive.infolist()
        self.entries = {entry.filename: entry for entry in entries}
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                refuse(where, f"{show(entry.filename)} is compressed. {_RESAVE}")
        if sum(entry.file_size for entry in entries) > size:
            refuse(where, "has entries that overlap")
        folders = [n[: -len("data.pkl")] for n in self.entries if n.endswith("/data.pkl")]
        if len(folders) != 1:
            refuse(where, "is a zip file, but none of torch.save: it has no data.pkl")
        self.folder = folders[0]
        order = self._entry("byteorder") if f"{self.folder}byteorder" in self.entries else b"little"
        if order not in (b"little", b"big"):
            refuse(where, f"byteorder must be 'little' or 'big'. Received: {show(order)}")
        self.order: Literal["little", "big"] = "little" if order == b"little" else "big"
        self.storage = functools.cache(self._read_storage)

    def read(self) -> dict[str | int, Any]:
        name = f"{self.folder}data.pkl"
        if self.entries[name].file_size > _MAX_PICKLE:
            refuse(self.where, f"{show(name)} is larger than {_MAX_PICKLE:,} bytes")
        names: dict[str, Any] = {
            "collections.OrderedDict": Call(_ordered_dict),
            "torch.Size": Call(_size),
            "torch.device": Call(_device),
            "torch._utils._rebuild_tensor": Call(self._tensor),
            "torch._utils._rebuild_tensor_v2": Call(self._tensor),
            "torch._utils._rebuild_parameter": Call(_parameter),
        }
        for kind, dtype in _STORAGES.items():
            names[f"torch.{kind}Storage"] = _StorageKind(dtype)
            names[f"torch.{dtype}"] = dtype
        value = read_pickle(self._entry("data.pkl"), self.where, names, self._persistent)
        if not isinstance(value, dict):
            refuse(self.where, f"must hold a dict of tensors. Received: {show(value)}")
        return value

    def _entry(self, name: str) -> bytes:
        return self.archive.read(self.entries[self.folder + name])

    def _persistent(self, key: Any) -> _Storage:
        match key:
            case ("storage", _StorageKind(dtype), str(name), _, int(count)):
                pass
            case _:
                raise TypeError(f"{show(key)} where a storage should be")
        if f"{self.folder}data/{name}" not in self.entries:
            refuse(self.where, f"lacks the storage {show(name)}")
        values = self.storage(name, dtype)
        if len(values) != count:
            refuse(
                self.where,
                f"storage {show(name)} must have {show(count)} values of {dtype}. "
                f"Received: {len(values)}",
            )
        return _Storage(values)

    def _read_storage(self, name: str, dtype: str) -> np.ndarray:
        data = self._entry(f"data/{name}")
        stored = {"bfloat16": "uint16", "bool": "uint8"}.get(dtype, dtype)
        values = np.frombuffer(data, np.dtype(stored).newbyteorder(self.order)).astype(
            stored, copy=False
        )
        if dtype == "bfloat16":  # the upper half of a float32
            values = (values.astype("uint32") << 16).view("float32")
        elif dtype == "bool":
            values = values != 0
        return values

    def _tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        _grad: Any = False,
        _hooks: Any = None,
        metadata: Any = None,
    ) -> np.ndarray:
        size, stride, (offset,) = _size(size), _size(stride), _size((offset,))
        if not isinstance(storage, _Storage) or len(size) != len(stride) or metadata:
            raise TypeError(f"a tensor of {show((storage, size, stride, metadata))}")
        values = storage.values
        if 0 in size:
            return np.empty(size, values.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= len(values):
            refuse(
                self.where,
                f"a tensor of shape {show(size)} reaches to value {show(last)} of a storage of "
                f"{len(values)}",
            )
        if math.prod(size) > np.iinfo(np.intp).max // values.itemsize:
            refuse(self.where, f"a tensor of shape {show(size)} is larger than any memory")
        return np.lib.stride_tricks.as_strided(
            values[offset:], size, [step * values.itemsize for step in stride], writeable=False
        )


def _size(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(n) is int and n >= 0 for n in values):
        raise TypeError(f"{show(values)} where sizes should be")
    return values


def _ordered_dict() -> dict:
    return {}


def _device(kind: Any, index: Any = None) -> str:
    if not isinstance(kind, str) or not isinstance(index, int | None):
        raise TypeError(f"{show((kind, index))} where a device should be")
    return kind if index is None else f"{kind}:{index}"


def _parameter(values: Any, _grad: Any, _hooks: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{show(values)} where a tensor should be")
    return values
