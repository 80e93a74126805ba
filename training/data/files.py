"""What every reader shares: clear errors for broken files, content hashes, downloads."""

import contextlib
import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from zoo.errors import ZooError
from zoo.files import replaced

# Stored images (N, H, W[, C]) of an integer type, and labels (N,), both as the source gives them.
Arrays = tuple[np.ndarray, np.ndarray]

T = TypeVar("T")


@contextlib.contextmanager
def decoding(path: Path | str) -> Iterator[None]:
    """Turn whatever a decoder raises about `path` into one ZooError that names the file."""
    try:
        yield
    except (FileNotFoundError, ImportError, MemoryError, PermissionError, ZooError):
        raise
    except Exception as error:  # each decoder has its own kinds
        raise ZooError(
            f"{path} cannot be decoded ({type(error).__name__}: {error}); the file is corrupt, "
            "truncated or of another format: replace it by a fresh copy"
        ) from error


def grid(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The tiles (R*K, height, width[, C]) of an image (R*height, K*width[, C]), row by row."""
    rows, height_left = divmod(image.shape[0], height)
    columns, width_left = divmod(image.shape[1], width)
    if height_left or width_left or not rows or not columns:
        raise ValueError(f"{image.shape[:2]} pixels are not a grid of {height} x {width} tiles")
    tail = image.shape[2:]
    tiles = image.reshape(rows, height, columns, width, *tail).swapaxes(1, 2)
    return tiles.reshape(rows * columns, height, width, *tail)


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file, whole or not at all.

    Raises:
        OSError: a full disk or an unwritable folder.
    """
    with replaced([path]) as (partial,), partial.open("wb") as file:
        np.save(file, array)


def sha256(array: np.ndarray) -> str:
    """Hash of an array's bytes in C order, little-endian, in the array's own type."""
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(array.data).hexdigest()


def unordered_sha256(x: np.ndarray, y: np.ndarray) -> str:
    """Hash of the (image, label) pairs in no order: of the sorted hashes of the single pairs."""
    pairs = (
        hashlib.sha256(image.tobytes() + bytes([label])).digest()
        for image, label in zip(np.ascontiguousarray(x), y.tolist(), strict=True)
    )
    return hashlib.sha256(b"".join(sorted(pairs))).hexdigest()


def fetch(url: str, path: Path, decode: Callable[[Path], T]) -> T:
    """Download `url` to `path`, which appears only when complete and only if `decode` accepts it.

    The bytes go to a temporary name beside `path`; `decode` is called with that, and its result
    is returned.

    Raises:
        OSError: the download failed or ended early.
        ValueError: `decode` raised one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    request = urllib.request.Request(url, headers={"User-Agent": "zoo-training"})
    try:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply, part.open("wb") as file:
                shutil.copyfileobj(reply, file)
                promised = reply.headers.get("Content-Length")
            if promised is not None and part.stat().st_size != int(promised):
                raise ConnectionError(f"{part.stat().st_size} of {promised} bytes came")
        except (OSError, http.client.HTTPException) as error:
            raise OSError(
                f"could not download {url} ({error}); try again, or put the file at {path} yourself"
            ) from error
        try:
            decoded = decode(part)
        except ValueError as error:
            raise ZooError(f"{url} does not give the file expected: {error}") from error
        part.replace(path)
        return decoded
    finally:
        part.unlink(missing_ok=True)
