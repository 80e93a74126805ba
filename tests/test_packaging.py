"""What a wheel holds, and what `import zoo` brings in."""

import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

import zoo
from tests.support.helpers import run_python

pytestmark = [pytest.mark.once, pytest.mark.release]

ROOT = Path(__file__).parent.parent
PUBLIC = {"load", "create", "predict", "preprocess", "list_models", "list_weights", "card"}


def test_public_names():
    assert set(zoo.__all__) >= PUBLIC
    assert all(getattr(zoo, name).__doc__ for name in zoo.__all__)


def test_import_brings_in_nothing_heavy():
    unwanted = ["keras_cv", "keras_hub", "tensorflow_datasets", "torchvision", "training"]
    if keras.backend.backend() != "tensorflow":
        unwanted.append("tensorflow")
    result = run_python(
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import zoo\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        f"print(sorted(set({unwanted}) & set(sys.modules)), len(new), sorted(new))"
    )
    assert result.stdout.startswith("[] "), result.stdout + result.stderr


def test_wheel_holds_zoo_and_checkpoints_alone(tmp_path):
    pytest.importorskip("setuptools")
    # From a copy: building leaves files in the tree.
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        wheel.extractall(tmp_path / "site")
    top = {n.split("/")[0] for n in names if ".dist-info" not in n}
    assert top == {"zoo"}
    assert "zoo/py.typed" in names
    for name in zoo.list_weights():
        assert f"zoo/_weights/{name}/model.safetensors" in names
        assert f"zoo/_weights/{name}/zoo.json" in names
    # Used from there, it finds its checkpoints.
    told = subprocess.run(
        [sys.executable, "-c", "import zoo; print(zoo.__file__, zoo.list_weights())"],
        cwd=tmp_path / "site",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith(str(tmp_path))
    assert str(zoo.list_weights()) in told
