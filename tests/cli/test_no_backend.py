"""Commands that run no model import no backend; everybody else gets the whole package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from tests.support.helpers import run_python

pytestmark = pytest.mark.once

BACKENDS = {"keras", "tensorflow", "jax", "torch"}


def imported(*words: str) -> set[str]:
    """Top-level packages that a Python process imports."""
    process = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        env={**os.environ, "PYTHONPATH": str(Path(zoo.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["cache", "list"],
        ["list", "plainnet*"],
        ["info", "mask_rcnn_seqnet50"],
        ["info", "plainnet44.cifar10"],
    ],
    ids=" ".join,
)
def test_commands_that_need_none(words):
    packages = imported("-m", "zoo", *words)
    assert "argparse" in packages
    assert not packages & BACKENDS


def test_as_a_script(tmp_path):
    script = tmp_path / "zoo"  # as pip writes it
    script.write_text("import sys\nfrom zoo.cli import main\nsys.exit(main())\n")
    packages = imported(str(script), "cache", "list")
    assert "argparse" in packages
    assert not packages & BACKENDS


@pytest.mark.parametrize(
    "code",
    [
        "import zoo, keras",
        "from zoo.layers import CReLU",
        # The command loads a file.
        """
import sys
sys.argv = ["zoo"]
from zoo.cli import main
main(["probe", "gone.keras"])
""",
    ],
)
def test_keras_gets_every_class(code):
    """Keras finds the zoo's classes in a file only once they are imported."""
    result = run_python(f"{code}\nimport keras\nprint(*keras.saving.get_custom_objects())")
    pattern = r'register_keras_serializable\("zoo"(?:, name="(\w+)")?\)\nclass (\w+)'
    sources = (path.read_text() for path in Path(zoo.__file__).parent.rglob("*.py"))
    classes = {f"zoo>{a or b}" for source in sources for a, b in re.findall(pattern, source)}
    assert len(classes) > 20
    assert set(result.stdout.split()) >= classes, result.stderr
