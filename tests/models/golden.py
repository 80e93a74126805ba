"""The frozen names: every variable path and shape of every architecture, as a hash.

A published checkpoint is keyed by these paths, so a difference means that it no longer loads.
After adding architectures: `python tests/models/golden.py` writes golden.json anew; lines of
existing ones must not change.
"""

import hashlib
import json
import math
from pathlib import Path

PATH = Path(__file__).with_name("golden.json")


def describe(model) -> dict:
    lines = [f"{v.path} {tuple(v.shape)}" for v in model.variables]
    return {
        "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
        "variables": len(lines),
        "first": lines[0],
        "last": lines[-1],
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


if __name__ == "__main__":
    import zoo

    golden = {name: describe(zoo.create(name)) for name in zoo.list_models()}
    PATH.write_text(json.dumps(golden, indent=1) + "\n")
