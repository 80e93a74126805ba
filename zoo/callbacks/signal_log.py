"""The files of `SignalMonitor`: a CSV that survives crashes, and TensorBoard's events."""

import csv
import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import write_atomically

HEADER = ["step", "key", "value"]


class SignalFile:
    """`signals.csv` of a folder: rows (step, key, value), the steps ascending.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "signals.csv"

    def begin(self, step: int) -> dict[int, dict[str, float]]:
        """Goes on after `step`: later rows are dropped, and what a crash has left in pieces.

        A training that begins at step 0 begins a new file.

        Returns:
            step -> {key: value} of the rows that stay.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = []
        if step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if _is_until(step, row)]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
        write_atomically(self.path, text.getvalue().encode())
        history: dict[int, dict[str, float]] = {}
        for at, key, value in rows:
            history.setdefault(int(at), {})[key] = float(value)
        return history

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Appends the rows of one step."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            rows = [(step, key, f"{value:.9g}") for key, value in values.items()]
            csv.writer(file, lineterminator="\n").writerows(rows)


class EventFile:
    """A new event file for TensorBoard in a folder.

    TensorBoard's own writer imports TensorFlow where that is installed, to open files; its
    messages and records need none.

    Args:
        folder: made where it is missing.

    Raises:
        ZooError: the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise ZooError(
                f"TensorBoard's files need the package tensorboard ({error}). Install it, or give "
                "tensorboard=False."
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own: a resumed training adds a file to those of the folder.
        path = folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}.signals"
        self._event, self._summary = Event, Summary
        self._writer = RecordWriter(path.open("ab"))
        self._write(file_version="brain.Event:2")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values of one step to the disk."""
        scalars = [self._summary.Value(tag=key, simple_value=v) for key, v in values.items()]
        self._write(step=step, summary=self._summary(value=scalars))

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self, **fields: Any) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())
        self._writer.flush()


def _is_until(step: int, row: list[str]) -> bool:
    try:
        at, _, value = row
        float(value)
        return int(at) <= step
    except ValueError:  # the header, or half a row
        return False
