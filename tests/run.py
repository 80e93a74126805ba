"""Runs the tests on one or more backends: one queue of (backend, file), the longest first.

    python tests/run.py                                   TensorFlow
    python tests/run.py --backends tensorflow,jax,torch   all that a release needs
    python tests/run.py tests/layers -- -k crelu          some of them; after `--` for pytest

Every file runs in a process of its own, forked from one that has imported the backend. A test
marked `once` runs on the first backend only, one marked `release` where several are run. Logs are
kept in `--logs`.
"""

import argparse
import collections
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMES = ROOT / "tests" / "times.json"  # processor seconds by backend and file
NO_TESTS = 5  # pytest's code where none is left
DEFAULTS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # none is needed, and loading them takes a second a file
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # not the default of all processors, and faster
    # Small nets are compiled for longer than they run.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
}


def queue(paths: list[str], backends: list[str]) -> list[tuple[str, str]]:
    """(backend, file): what takes longest, or is new, first."""
    times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    files: dict[str, None] = {}
    for path in map(Path, paths):
        for file in sorted(path.rglob("test_*.py")) if path.is_dir() else [path]:
            files[file.resolve().relative_to(ROOT).as_posix()] = None
    jobs = [(backend, file) for backend in backends for file in files]
    return sorted(jobs, key=lambda job: -times.get(job[0], {}).get(job[1], float("inf")))


class Zygotes:
    """One process for each backend, started when it is first needed."""

    def __init__(self):
        self._results, self._sender = os.pipe()
        self._lines = os.fdopen(self._results)
        self._processes: dict[str, subprocess.Popen] = {}

    def send(self, backend: str, job: dict[str, Any]) -> None:
        if backend not in self._processes:
            self._processes[backend] = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", str(self._sender)],
                cwd=ROOT,
                env=DEFAULTS | os.environ | {"KERAS_BACKEND": backend},
                stdin=subprocess.PIPE,
                text=True,
                pass_fds=[self._sender],
            )
        pipe = self._processes[backend].stdin
        pipe.write(json.dumps(job) + "\n")
        pipe.flush()

    def receive(self) -> dict[str, Any]:
        """The next job that has ended."""
        while not select.select([self._results], [], [], 1)[0]:
            for backend, process in self._processes.items():
                if process.poll() is not None:
                    raise SystemExit(f"{backend} could not be imported")
        return json.loads(self._lines.readline())

    def close(self) -> None:
        for process in self._processes.values():
            process.stdin.close()
            process.wait()


def summary(log: Path) -> tuple[str, collections.Counter]:
    """pytest's last line, and its numbers."""
    text = log.read_text(errors="replace").rstrip()
    last = text[text.rfind("\n") + 1 :].strip("= ")
    return last, collections.Counter(
        {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)}
    )


def run(arguments: argparse.Namespace, logs: Path) -> int:
    first = arguments.backends[0]
    waiting = collections.deque(queue(arguments.paths, arguments.backends))
    zygotes, running, done = Zygotes(), 0, []
    total: collections.Counter = collections.Counter()
    start = time.monotonic()
    while waiting or running:
        while waiting and running < arguments.jobs:
            backend, file = waiting.popleft()
            left_out = [] if len(arguments.backends) > 1 else ["release"]
            left_out += [] if backend == first else ["once"]
            marks = ["-m", " and ".join(f"not {mark}" for mark in left_out)] if left_out else []
            log = logs / f"{backend}-{file.removesuffix('.py').replace('/', '-')}.txt"
            quiet = ["-q", "-pno:cacheprovider", "-Wignore::pytest.PytestAssertRewriteWarning"]
            options = [*quiet, "--durations=10", *marks, *arguments.pytest]
            zygotes.send(backend, {"file": file, "log": str(log), "arguments": options})
            running += 1
        job = zygotes.receive()
        running -= 1
        done.append(job)
        last, numbers = summary(Path(job["log"]))
        total += numbers
        if job["code"] != NO_TESTS:
            print(f"{job['backend']:10} {job['seconds']:6.1f} s  {job['file']}  {last}", flush=True)
    zygotes.close()
    bad = [job for job in done if job["code"] not in (0, NO_TESTS)]
    for job in bad:
        print(f"\n== {job['backend']} {job['file']}: exit code {job['code']}")
        print(Path(job["log"]).read_text(errors="replace")[-10_000:])
    seconds = {b: sum(j["seconds"] for j in done if j["backend"] == b) for b in arguments.backends}
    print(", ".join(f"{n} {word}" for word, n in total.items()), f"; logs in {logs}")
    print(f"{time.monotonic() - start:.0f} s; of processor time: {seconds}")
    if arguments.store_times and not bad:
        times: dict[str, dict[str, float]] = {}
        for job in sorted(done, key=lambda job: (job["backend"], job["file"])):
            times.setdefault(job["backend"], {})[job["file"]] = job["seconds"]
        TIMES.write_text(json.dumps(times, indent=1) + "\n")
    return bool(bad)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="*", default=[str(ROOT / "tests")])
    parser.add_argument("--backends", default="tensorflow", type=lambda names: names.split(","))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--logs", type=Path, help="a folder for what each file prints")
    parser.add_argument("--store-times", action="store_true", help=f"writes {TIMES.name} anew")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:at])
    arguments.pytest = sys.argv[at + 1 :]
    logs = arguments.logs or Path(tempfile.mkdtemp(prefix="zoo-tests-"))
    logs.mkdir(parents=True, exist_ok=True)
    return run(arguments, logs)


if __name__ == "__main__":
    sys.exit(main())
