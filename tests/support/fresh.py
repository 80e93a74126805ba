"""Fresh processes that start at once.

A program that a test runs imports a backend for seconds before it does its work. These are forked
from a server instead, that has imported what they need and has used nothing of it: a fork of the
test process before its first test (`tests/conftest.py`). What a process imports, and when, only a
new interpreter can show: `tests.support.helpers.run_python`.
"""

import atexit
import importlib
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any

# TensorFlow on every backend: Keras imports it to set a seed.
PRELOADED = (
    *("pytest", "hypothesis", "numpy.testing", "tensorflow", "keras"),
    *("zoo", "zoo.detection", "zoo.signals", "training.train", "tests.support.helpers"),
)
LONGEST = 900  # seconds; then a process is killed

_server: tuple[int, socket.socket] | None = None  # of this process


def preload() -> None:
    """Imports what tests need. Nothing starts threads: a process can be forked afterwards."""
    for module in PRELOADED:
        importlib.import_module(module)


def fork() -> int:
    with warnings.catch_warnings(action="ignore"):  # of JAX, about threads
        return os.fork()


def start_server() -> None:
    global _server
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = fork()
    if pid == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    _server = (pid, ours)


def stop_server() -> None:
    """After all its processes have ended; their time becomes this process's."""
    global _server
    pid, channel = _server
    channel.close()
    os.waitpid(pid, 0)
    _server = None


class Process:
    """A running `function(*arguments)` whose value is the exit code, as `subprocess.Popen`.

    Args:
        environment: what it has in addition to this process's environment.
        outputs: file descriptors for its standard output and its standard error; by default both
            are `stdout`, a file that is read here.
    """

    def __init__(
        self,
        function: Callable[..., int | None],
        *arguments: Any,
        environment: dict[str, str] | None = None,
        outputs: tuple[int, int] | None = None,
    ):
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        reading, writing = os.pipe()
        self._report = os.fdopen(reading)
        files = [writing]
        if outputs is None:
            mine, its = os.pipe()
            self.stdout = os.fdopen(mine)
            files.append(its)
            outputs = (its, its)
        call = (function, arguments, {**os.environ, **(environment or {})}, os.getcwd())
        socket.send_fds(_server[1], [pickle.dumps(call)], [writing, *outputs])
        for file in files:
            os.close(file)
        self.pid = int(self._report.readline())
        self._watch = threading.Timer(LONGEST, self.kill)
        self._watch.daemon = True
        self._watch.start()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._report.readline())
            self._watch.cancel()
            self._report.close()
        return self.returncode

    def read(self) -> str:
        """What it prints from now on to its end."""
        with self.stdout:
            output = self.stdout.read()
        self.wait()
        return output


def start(*words: str, **environment: str) -> Process:
    """`python WORDS`: `-m module …` or `-c code …`."""
    return Process(_python, words, environment=environment)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """`python WORDS` to its end, what it prints captured."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        files = (out.fileno(), err.fileno())
        code = Process(_python, words, environment=environment, outputs=files).wait()
        texts = [file.seek(0) or file.read() for file in (out, err)]
        return subprocess.CompletedProcess(words, code, *texts)


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs code, as `helpers.run_python` does in a new interpreter."""
    return run("-c", code, *arguments, **environment)


def _python(words: Sequence[str]) -> None:
    kind, what, *sys.argv[1:] = words
    sys.argv[0] = kind
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), module.__dict__)


def _serve(channel: socket.socket) -> None:
    """The server: a fork for each call, and one beside it that tells its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watchers = set()
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        if not message:
            break
        preload()
        if (watcher := fork()) == 0:
            channel.close()
            _watch_over(message, *files)
        watchers.add(watcher)
        for file in files:
            os.close(file)
        watchers -= {pid for pid in watchers if os.waitpid(pid, os.WNOHANG)[0]}
    for pid in watchers:
        os.waitpid(pid, 0)
    os._exit(0)


def _watch_over(message: bytes, report: int, out: int, err: int) -> None:
    pid = fork()
    if pid == 0:
        os.close(report)
        _call(message, out, err)
    os.close(out)
    os.close(err)
    os.write(report, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _call(message: bytes, out: int, err: int) -> None:
    """The call, as if a new interpreter had been started for it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, 1, closefd=False) for number, mode in enumerate("rww")
    )
    code: Any = 1
    try:
        function, arguments, environment, folder = pickle.loads(message)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        code = function(*arguments) or 0
    except SystemExit as stop:
        code = stop.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
