"""What every reader shares: clear errors for broken files, content hashes, downloads."""

import contextlib
import hashlib
import lzma
import os
import shutil
import struct
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

# Stored images (N, H, W[, C]) of an integer type, and labels (N,), both as the source gives them.
Arrays = tuple[np.ndarray, np.ndarray]

_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    SyntaxError,  # Pillow, for a broken PNG
    struct.error,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
)


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises about `path` into one ValueError that names the file."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except _BROKEN as error:
        raise ValueError(
            f"{path} cannot be decoded ({type(error).__name__}: {error}); the file is corrupt, "
            "truncated or of another format: replace it by a fresh copy"
        ) from error


def grid(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut an image (R*height, K*width[, C]) into its tiles (R*K, height, width[, C]), row by row."""
    rows, height_left = divmod(image.shape[0], height)
    columns, width_left = divmod(image.shape[1], width)
    if height_left or width_left or not rows or not columns:
        raise ValueError(f"{image.shape[:2]} pixels are not a grid of {height} x {width} tiles")
    tail = image.shape[2:]
    tiles = image.reshape(rows, height, columns, width, *tail).swapaxes(1, 2)
    return tiles.reshape(rows * columns, height, width, *tail)


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


def fetch(url: str, path: Path, check: Callable[[Path], object]) -> None:
    """Download `url` to `path`, which appears only when complete and only if `check` accepts it.

    The bytes go to a temporary name beside `path`; `check` is called with it and may raise.

    Raises:
        OSError: the download failed or ended early.
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
        except OSError as error:  # urllib.error.URLError is one
            raise OSError(
                f"could not download {url} ({error}); try again, or put the file at {path} yourself"
            ) from error
        check(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
