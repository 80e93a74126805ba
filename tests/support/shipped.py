"""What the shipped checkpoints are: the sha256 of each one's weights, and some outputs.

`python -m tests.support.shipped` adds new checkpoints to shipped.json; a line never changes.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import zoo
from tests.support.helpers import array, forward

PATH = Path(__file__).parents[1] / "shipped.json"


def describe(model) -> dict:
    digest = hashlib.sha256()
    for v in model.weights:
        digest.update(v.path.encode())
        digest.update(array(v).astype("float32").tobytes())
    x = np.random.default_rng(0).random((4, *model.input_shape[1:]), dtype="float32")
    outputs = forward(model, x)
    return {
        "weights": digest.hexdigest(),
        "outputs": [[float(f"{p:.7g}") for p in row] for row in outputs],
    }


def add() -> None:
    shipped = json.loads(PATH.read_text())
    for name in zoo.list_weights():
        if name not in shipped:
            shipped[name] = describe(zoo.load(name))
    rows = [
        f" {json.dumps(name)}: {json.dumps(shipped[name], separators=(',', ':'))}"
        for name in sorted(shipped)
    ]
    PATH.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    add()
