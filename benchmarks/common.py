"""Contenders side by side: each in its own process, in turn, several rounds in one run."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def timed(step: Callable[[], object], seconds: float, warmup: int = 3) -> float:
    """Median seconds of `step()`, over about so many seconds of calls."""
    for _ in range(warmup):
        step()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main(
    name: str,
    contenders: Mapping[str, tuple[str, Callable[[], dict[str, float]]]],
    baseline: Mapping[str, str] | None = None,
    rounds: int = 3,
    within: str = "",
) -> None:
    """Runs every contender (KERAS_BACKEND, function -> {figure: seconds}) and writes the ratios.

    The ratio of a contender is the median time of its `baseline` over its own, or with `within`
    that of its own figure of that name over its other ones: above 1 is faster.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--only", help="run this contender in this process, print its JSON")
    parser.add_argument("--rounds", type=int, default=rounds)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(contenders[arguments.only][1]()))
        return
    times: dict[str, dict[str, list[float]]] = {key: {} for key in contenders}
    for number in range(arguments.rounds):
        for key, (backend, _) in contenders.items():
            print(f"round {number + 1}/{arguments.rounds}: {key}", file=sys.stderr, flush=True)
            result = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}", "--only", key],
                env={
                    "TF_ENABLE_ONEDNN_OPTS": "1",  # as the training program
                    **os.environ,
                    "KERAS_BACKEND": backend,
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                },
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            for figure, seconds in json.loads(result.stdout.splitlines()[-1]).items():
                times[key].setdefault(figure, []).append(seconds)
    medians = {k: {f: statistics.median(v) for f, v in row.items()} for k, row in times.items()}
    if within:
        ratios = {
            key: {f: row[within] / v for f, v in row.items() if f != within}
            for key, row in medians.items()
        }
    else:
        baseline = baseline or {}
        ratios = {
            f"{key}, against {baseline[key]}": {
                f: medians[baseline[key]][f] / v
                for f, v in row.items()
                if f in medians[baseline[key]]
            }
            for key, row in medians.items()
            if key in baseline
        }
    report = {
        "command": f"python -m benchmarks.{name}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "milliseconds": {
            k: {f: round(1000 * v, 3) for f, v in row.items()} for k, row in medians.items()
        },
        "times_as_fast": {k: {f: round(v, 2) for f, v in row.items()} for k, row in ratios.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
