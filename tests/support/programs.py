"""The training program in fresh processes."""

import json
import socket
from pathlib import Path

import keras

from tests.support import fresh


def start(run: Path, *arguments: str, call: str = "", name: str = "toy") -> fresh.Process:
    """It trains on a toy set; `call` is one of `tests.support.toy`."""
    environment = {"ZOO_TEST": call} if call else {}
    words = ("-m", "tests.support.toy", name, *arguments, "--run", str(run))
    return fresh.start(*words, **environment)


def finish(process: fresh.Process, code: int = 0) -> str:
    """All that it prints from now on."""
    output = process.read()
    assert process.returncode == code, output
    return output


def signal_at(line: str, process: fresh.Process, number: int) -> str:
    """Sends a signal when the program prints a line that begins so; returns the output after."""
    for printed in process.stdout:
        if printed.startswith(line):
            process.send_signal(number)
            break
    return process.read()


def pair(*words: str) -> list[fresh.Process]:
    """Two processes of one training, `python -m WORDS` each, under the backend's own engine."""
    sockets = [socket.socket() for _ in range(2)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    if keras.backend.backend() == "jax":
        place = ["--strategy=jax", f"--coordinator={hosts[0]}", "--processes=2"]
        return [fresh.start("-m", *words, *place, f"--process={i}") for i in (0, 1)]
    configs = [
        {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}} for i in (0, 1)
    ]
    return [
        fresh.start("-m", *words, "--strategy=multiworker", TF_CONFIG=json.dumps(config))
        for config in configs
    ]
