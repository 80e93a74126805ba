"""Files of a checkpoint folder: written whole or not at all, read only when they are what the
card says."""

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from zoo.checkpoint.card import CARD_FILE, Card, FileEntry, parse_card
from zoo.checkpoint.schema import MAX_BYTES, refuse
from zoo.errors import CheckpointError
from zoo.files import replaced, write_to_disk

AGAIN = "get the checkpoint again"

# What a file is made of: pieces of it, given the sizes and hashes of the files written before.
Content = Callable[[Mapping[str, FileEntry]], Iterable[bytes]]


def read_card(folder: str | os.PathLike) -> Card:
    """Reads the card of a checkpoint folder.

    Args:
        folder: str or path, of the checkpoint.

    Returns:
        Card.

    Raises:
        CheckpointError: there is none, or it is not as `Card` says.

    Example:

    >>> read_card("weights/seqnet18.cifar10").name
    'seqnet18.cifar10'
    """
    path = Path(folder) / CARD_FILE
    return parse_card(read_file(path, MAX_BYTES), str(path))


def read_file(path: Path, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes."""
    with open_file(path, limit) as file:
        return file.read(limit + 1)


@contextlib.contextmanager
def open_file(path: Path, limit: int) -> Iterator[io.BufferedReader]:
    """A regular file of at most `limit` bytes to read (a symbolic link to one is well)."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                refuse(str(path), "is not a regular file")
            if status.st_size > limit:
                refuse(
                    str(path),
                    f"has {status.st_size:,} bytes where at most {limit:,} are right: {AGAIN}",
                )
            yield file
    except CheckpointError:
        raise
    except FileNotFoundError:
        missing = "is missing" if path.parent.is_dir() else "is missing: there is no such folder"
        raise CheckpointError(f"{path} {missing}.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path} cannot be read: {reason}.") from error


class Measured:
    """The pieces of a file, counted and hashed as they pass.

    Args:
        pieces: iterable of bytes.
    """

    def __init__(self, pieces: Iterable[bytes]):
        self._pieces, self._size, self._digest = pieces, 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._size += len(piece)
            self._digest.update(piece)
            yield piece

    @property
    def entry(self) -> FileEntry:
        """Size and hash of what has passed."""
        return FileEntry(self._size, self._digest.hexdigest())


def write_files(folder: Path, contents: Mapping[str, Content]) -> dict[str, FileEntry]:
    """Writes files so that a crash or a full disk leaves the old ones, or a set whose last file
    does not fit the others; the last of `contents` appears last.

    Args:
        folder: made where it does not exist.
        contents: name -> its content. Only one piece of one file is held at a time.

    Returns:
        Size and hash of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, FileEntry] = {}
    with replaced([folder / name for name in contents]) as partial:
        for (name, content), path in zip(contents.items(), partial, strict=True):
            pieces = Measured(content(entries))
            write_to_disk(path, pieces)
            entries[name] = pieces.entry
    return entries


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
