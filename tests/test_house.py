"""The order of the modules: imports point downward, no circle, no long file."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
# The rooms of zoo/ from the roof to the ground. A room imports from those below it alone; those on
# one line do not know each other.
LADDER = """
__main__
cli
zoo
deploy tuning
creation
tasks
hub
formats
checkpoint
registry catalog
detection
models
callbacks
signals
layers optimizers
regularizers constraints
initializers preprocessing
images
outputs files checks
errors types version
"""
# `zoo.detection.predict` takes the name of a model, too.
ALLOWED = {"zoo.detection.prediction -> zoo.hub.loading"}


def modules() -> dict[str, Path]:
    """Files by dotted name."""
    paths = [path for top in ("zoo", "training") for path in (ROOT / top).rglob("*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return {n.removesuffix(".__init__"): path for n, path in zip(names, paths, strict=True)}


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of ours that a file imports anywhere, in functions, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in inner}
    return found & known.keys()


MODULES = modules()
GRAPH = {name: imports(path, MODULES) - {name} for name, path in MODULES.items()}


def circle(start: str) -> list[str] | None:
    """A shortest way from a module back to itself."""
    before: dict[str, str] = {}
    queue = [start]
    for name in queue:
        for target in sorted(GRAPH[name]):
            if target == start:
                way = [name, start]
                while way[0] != start:
                    way.insert(0, before[way[0]])
                return way
            if target not in before:
                before[target] = name
                queue.append(target)
    return None


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_circle():
    circles = {frozenset(way): " -> ".join(way) for name in GRAPH if (way := circle(name))}
    assert not circles.values(), "\n".join(circles.values())


def test_imports_point_downward():
    height = {name: -i for i, line in enumerate(LADDER.split("\n")) for name in line.split()}
    wrong = []
    for name, targets in GRAPH.items():
        if not name.startswith("zoo"):
            continue
        wrong += [f"{name} -> {t}" for t in targets if t.startswith("training")]
        for target in targets:
            if target.startswith("zoo") and room(name) != room(target):
                assert {room(name), room(target)} <= height.keys(), "a new room: put it in LADDER"
                if height[room(name)] <= height[room(target)]:
                    wrong.append(f"{name} -> {target}")
    assert not set(wrong) - ALLOWED, "\n".join(sorted(wrong))


def test_files_are_read_in_a_sitting():
    lines = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: n for name, n in lines.items() if n > 400}
    assert sorted(lines.values())[len(lines) // 2] < 150
