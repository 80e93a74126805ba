"""The frozen names: every weight's path and shape of every architecture, as a hash, and its cost.

A published checkpoint is keyed by these paths, so a difference means that it no longer loads.
After adding architectures: `python -m tests.models.golden` writes golden.json anew; lines of
existing ones must not change.
"""

import hashlib
import json
import math
from pathlib import Path

PATH = Path(__file__).with_name("golden.json")


def describe(model) -> dict:
    from zoo.models.cost import multiply_adds, weight_layers

    lines = [f"{v.path} {tuple(v.shape)}" for v in model.weights]  # not the states of dropout
    return {
        "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
        "variables": len(lines),
        "multiply_adds": multiply_adds(model),
        "weight_layers": weight_layers(model),
        "first": lines[0],
        "last": lines[-1],
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def build(name: str):
    """The model without values: shapes and names are all that is looked at."""
    import zoo
    from zoo.models.deferred import build_without_values

    return build_without_values(lambda: zoo.create(name))


def write() -> None:
    from zoo.registry import variants

    golden = {name: describe(build(name)) for name in variants("classification")}
    PATH.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    write()
