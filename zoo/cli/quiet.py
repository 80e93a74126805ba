"""The console without the lines that backends write while they start."""

import contextlib
import faulthandler
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import TextIO

from zoo.errors import ZooError


@contextlib.contextmanager
def quiet(enabled: bool = True) -> Iterator[None]:
    """Keeps back what C++ writes to file descriptor 2, as TensorFlow does at its import.

    What Python writes to `sys.stderr` appears: messages, warnings, progress. What was kept back
    appears after it where the block fails; a `ZooError` is no failure, but an answer.

    Args:
        enabled: bool, False to keep nothing back.
    """
    if not enabled or not _is_descriptor_2(sys.stderr):
        yield
        return
    stderr = sys.stderr
    stderr.flush()
    encoding, errors = stderr.encoding, stderr.errors
    with (
        tempfile.TemporaryFile() as kept_back,
        open(os.dup(2), "w", 1, encoding=encoding, errors=errors) as console,
        _crash_report(console),
    ):
        os.dup2(kept_back.fileno(), 2)
        sys.stderr = console
        try:
            yield
        except (ZooError, KeyboardInterrupt, BrokenPipeError, SystemExit):
            raise
        except BaseException:
            kept_back.seek(0)
            shutil.copyfileobj(kept_back, console.buffer)
            raise
        finally:
            console.flush()
            os.dup2(console.fileno(), 2)
            sys.stderr = stderr


@contextlib.contextmanager
def _crash_report(file: TextIO) -> Iterator[None]:
    """A crash in C++ loses what was kept back; Python at least says where it was."""
    if faulthandler.is_enabled():
        yield
        return
    faulthandler.enable(file)
    try:
        yield
    finally:
        faulthandler.disable()


def _is_descriptor_2(file: TextIO) -> bool:
    try:
        return file.fileno() == 2
    except (AttributeError, OSError):  # closed, replaced
        return False
