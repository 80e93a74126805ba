"""The theory runs on NumPy alone, and every module builds on lower ones only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo import signals

pytestmark = pytest.mark.once

FOLDER = Path(signals.__file__).parent
# Each may import from the lines above it, not from its own. Theory is a world of its own.
LADDER = (
    ("differentiate", "taps"),
    ("probe",),
    ("activations", "batch_norm", "blocks", "linear", "nonlinearities", "profile", "ratios"),
    ("conditioning", "curvature", "singularity", "weights"),
    ("last_layer",),
    ("verdict", "examination"),
    ("drawing",),
    ("report",),
)
WITHOUT_KERAS = """
import sys, types
for name in ("keras", "tensorflow", "jax", "torch"):
    sys.modules[name] = None  # importing it fails
for name, folder in (("zoo", {zoo!r}), ("zoo.signals", {signals!r})):
    sys.modules[name] = package = types.ModuleType(name)
    package.__path__ = [folder]
import importlib
for name in {names!r}:
    importlib.import_module("zoo.signals.theory." + name)
from zoo.signals.theory.ratios import pair_ratios
print(pair_ratios(2).backward)
"""


def imported(path: Path) -> set[str]:
    """Modules of zoo.signals that a file imports, also within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[:2] == ["zoo", "signals"]}


def test_the_theory_imports_numpy_alone():
    names = [path.stem for path in (FOLDER / "theory").glob("*.py")]
    code = WITHOUT_KERAS.format(zoo=str(FOLDER.parent), signals=str(FOLDER), names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "2.0\n"), done.stderr


def test_the_theory_imports_no_instrument():
    for path in (FOLDER / "theory").glob("*.py"):
        assert all(name.startswith("zoo.signals.theory.") for name in imported(path)), path


def test_every_module_builds_on_lower_ones():
    rank = {name: i for i, line in enumerate(LADDER) for name in line}
    assert rank.keys() == {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    for name, at in rank.items():
        for module in imported(FOLDER / f"{name}.py"):
            part = module.split(".")[2]
            assert part == "theory" or rank[part] < at, f"{name} imports {module}"


@pytest.mark.parametrize(
    ("old", "new"),
    [("raw", "identity"), ("of_kernels", "map_kernels"), ("scaling_ratios", "measured_ratios")],
)
def test_old_names_still_work(old, new):
    with pytest.warns(DeprecationWarning, match=f"zoo.signals.{old} is called zoo.signals.{new}"):
        assert getattr(zoo.signals, old) is getattr(zoo.signals, new)
    assert old not in signals.__all__
    with pytest.raises(AttributeError, match="no attribute 'something'"):
        signals.something  # noqa: B018


def test_no_file_is_long():
    for path in FOLDER.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
