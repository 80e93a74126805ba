"""A process that imports a backend once and forks for every test file: `zygote.py RESULTS`.

Jobs come on the standard input, one JSON object a line: `{"file", "log", "arguments"}`. What came
of each goes to the file descriptor RESULTS: the job with `backend`, `code` and `seconds`, its
processor time. Nothing may start threads before the fork, so only imports happen here.
"""

import gc
import json
import os
import signal
import sys
from typing import Any

from tests.support.fresh import preload


def run(job: dict[str, Any]) -> int:
    """One file's tests in this process, everything they print in the job's log."""
    import pytest

    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = pytest.main([job["file"], *job["arguments"]])
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code)


def watch(job: dict[str, Any], results: int) -> None:
    """Forks for the job, waits for its end and reports it, a crash, too."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os._exit(run(job))
    _, status, usage = os.wait4(child, 0)
    done = {
        "backend": os.environ["KERAS_BACKEND"],
        "code": os.waitstatus_to_exitcode(status),
        "seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }
    os.write(results, json.dumps(job | done).encode() + b"\n")


def main(results: int) -> None:
    preload()
    gc.collect()
    gc.freeze()  # collections in the forks leave all this alone, and its memory shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers are not waited for
    for line in sys.stdin:
        if os.fork() == 0:
            watch(json.loads(line), results)
            os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
