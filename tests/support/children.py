"""Client code in processes of their own, for the client reads its environment when imported.

A fresh process has not imported it.
"""

import contextlib
import io
import logging
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import fresh


@dataclass(frozen=True)
class Outcome:
    """What a call gave: its value or its error, and all it printed: logs, bars, the traceback."""

    value: Any = None
    error: BaseException | None = None
    printed: str = ""


class Child:
    """A running call of `function(*arguments)` under environment variables."""

    def __init__(self, environment: dict[str, str], function: Callable, *arguments):
        handle, self._path = tempfile.mkstemp()
        os.close(handle)
        self.process = fresh.Process(
            _run, environment.get("LOG_LEVEL", "WARNING"), self._path, function, arguments,
            environment=environment,
        )  # fmt: skip

    def kill(self) -> None:
        self.process.kill()

    def wait(self) -> Outcome | None:
        """The outcome; None where the process was killed."""
        self.process.read()
        written = Path(self._path).read_bytes()
        os.unlink(self._path)
        return pickle.loads(written) if written else None


def call(environment: dict[str, str], function: Callable, *arguments) -> Outcome:
    """Runs a function of a module to its end in a fresh process."""
    return Child(environment, function, *arguments).wait()


def _run(level: str, path: str, function: Callable, arguments: tuple) -> None:
    value = raised = None
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        logging.basicConfig(level=level, stream=printed, force=True)
        try:
            value = function(*arguments)
        except Exception as error:
            raised = error
            traceback.print_exc()
    with open(path, "wb") as file:
        pickle.dump(Outcome(value, raised, printed.getvalue()), file)


# What children call; a child imports only what it needs.


def fetch(repo: str, revision: str = "main", sha256: str | None = None) -> dict[str, bytes]:
    """The files that `zoo.hub.remote.fetch` gives."""
    from zoo.hub import remote

    folder = remote.fetch(repo, revision, card_sha256=sha256)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def load(name: str, **options: Any) -> Any:
    """Predictions of `zoo.load(name)`."""
    import zoo
    from tests.support.checkpoints import predict

    return predict(zoo.load(name, **options))


def load_at(name: str, input_shape: tuple[int, ...]) -> Any:
    """Predictions of `zoo.load(name, input_shape=…)`."""
    return load(name, input_shape=input_shape)


def card_name(name: str) -> str:
    import zoo

    return zoo.card(name).name


def cli(*argv: str) -> tuple[int, str]:
    """Exit code and output of `zoo argv`."""
    from zoo.cli import main

    with tempfile.TemporaryFile("w+") as file, contextlib.redirect_stdout(file):
        code = main(argv)
        file.seek(0)
        return code, file.read()


def with_pins(pins: str, root: str, function: Callable, *arguments) -> Any:
    """The function's value where these are the pins and the shipped checkpoints."""
    from pathlib import Path

    from zoo.hub import index
    from zoo.hub import pins as module

    module.PINS, index.ROOTS = Path(pins), (Path(root),)
    return function(*arguments)


def listed() -> dict[str, bool]:
    """Built-in names, and whether each is here."""
    from zoo.hub import index

    return {name: index.is_here(name) for name in index.list_weights()}


def on_small_disk(size: int, function: Callable, *arguments) -> Any:
    """The function's value where no file can be larger than this."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return function(*arguments)
    finally:  # the outcome is written to a file, too
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
