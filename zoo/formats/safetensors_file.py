"""Files of the safetensors library, from whatever program."""

import os
from pathlib import Path

import numpy as np

from zoo.checkpoint.files import open_file
from zoo.checkpoint.safetensors import Tensor, parse_tensors

_MOST = 1 << 40  # bytes; the file's own size is the limit
_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{f"{kind.upper()}{8 * size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
}


def is_safetensors_file(path: str | os.PathLike) -> bool:
    """Whether a file begins as one of safetensors does, whatever it is called."""
    try:
        with open_file(Path(path), _MOST) as file:
            return file.read(9)[8:] == b"{"
    except ValueError:  # what is wrong with it, its reader says
        return False


def read_safetensors_file(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file.

    Args:
        path: str or path, of the file.

    Returns:
        dict of str to NumPy array, bfloat16 as float32.

    Raises:
        CheckpointError: the file is missing, damaged, or not of this format.

    Example:

    >>> tensors = read_safetensors_file("weights/resnet20.cifar10/model.safetensors")
    >>> tensors["head_dense/bias"].shape
    (10,)
    """
    path = Path(path)
    with open_file(path, _MOST) as file:
        data = np.frombuffer(file.read(), "uint8")
    return {name: _array(tensor) for name, tensor in parse_tensors(data, str(path)).items()}


def _array(tensor: Tensor) -> np.ndarray:
    values = np.frombuffer(tensor.data, _DTYPES[tensor.dtype])
    if tensor.dtype == "BF16":  # the upper half of a float32
        values = (values.astype("uint32") << 16).view("float32")
    return values.reshape(tensor.shape)
