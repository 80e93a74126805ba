"""Files that are written whole or not at all."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a crash at any moment, finds the old or the new one.

    Args:
        path: Path, of the file; its folder exists.
        data: bytes, the content.

    Raises:
        OSError: a full disk or an unwritable folder; the old file is as it was.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "words.txt", b"two words")
    ...     (Path(folder) / "words.txt").read_text()
    'two words'
    """
    with replaced([path]) as (partial,):
        write_to_disk(partial, [data])


@contextlib.contextmanager
def replaced(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Paths to write to within the block, in place of those of one folder.

    Behind the block the files get their names, in their order. After an error in it, all old
    files are as they were.

    Args:
        paths: sequence of Path, all of the same folder.
    """
    partial = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    try:
        yield partial
        for new, path in zip(partial, paths, strict=True):
            os.replace(new, path)
    finally:
        for path in partial:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    _synchronize(paths[-1].parent)


def write_to_disk(path: Path, pieces: Iterable[bytes]) -> None:
    """Writes a file piece by piece; it is on the disk, not only in memory, on return."""
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _synchronize(folder: Path) -> None:
    """Brings the names of a folder's files to the disk."""
    if os.name == "posix":
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
