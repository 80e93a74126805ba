"""A save that fails leaves the older checkpoint; a killed one leaves nothing that misleads."""

import errno
import os

import numpy as np
import pytest

from tests.support.checkpoints import make_card, make_checkpoint, make_model, predict
from tests.support.fresh import run_python
from zoo import files
from zoo.checkpoint import load_checkpoint, save_checkpoint
from zoo.errors import CheckpointError

pytestmark = pytest.mark.once  # about files


@pytest.fixture
def older(folder, template):
    return folder, predict(template[1])


def save_another(folder):
    card = make_card(version=2)
    save_checkpoint(make_model(card, seed=2), folder, card)


def intact(folder, predictions):
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["README.md", "model.safetensors", "zoo.json"]
    model = load_checkpoint(folder)
    assert model.zoo_card.version == 1
    np.testing.assert_array_equal(predict(model), predictions)


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_full_disk(older, monkeypatch, failing):
    folder, predictions = older

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if failing == "write":
        real = open

        class Full:
            def __init__(self, path, mode):
                self.file = real(path, mode)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            def write(self, data):
                self.file.write(data[:100])
                full()

        def opened(path, mode, **options):
            return Full(path, mode) if "w" in mode else real(path, mode, **options)

        monkeypatch.setattr(files, "open", opened, raising=False)
    else:
        monkeypatch.setattr(files.os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        save_another(folder)
    monkeypatch.undo()
    intact(folder, predictions)


@pytest.mark.parametrize("last", ["README.md", "zoo.json"])
def test_disk_full_before_the_first_name_changes(older, monkeypatch, last):
    """Also when only the last small file finds no room."""
    folder, predictions = older
    real = open

    def some(path, mode="r", **options):
        if last in str(path) and "w" in mode:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, mode, **options)

    monkeypatch.setattr(files, "open", some, raising=False)
    with pytest.raises(OSError, match="No space left"):
        save_another(folder)
    monkeypatch.undo()
    intact(folder, predictions)


@pytest.mark.parametrize("survivors", [1, 2])
def test_between_two_names(older, monkeypatch, survivors):
    folder, _ = older
    real, done = os.replace, []

    def replace(source, target):
        if len(done) == survivors:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        done.append(target)
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        save_another(folder)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="another version"):
        load_checkpoint(folder)
    save_another(folder)
    assert load_checkpoint(folder).zoo_card.version == 2


def test_first_save_killed_leaves_no_checkpoint(tmp_path):
    code = """
import os, sys
from zoo import files
from tests.support.checkpoints import make_checkpoint
real = os.replace
def replace(source, target):
    if target.name == "zoo.json":
        os._exit(9)
    real(source, target)
files.os.replace = replace
from pathlib import Path
make_checkpoint(Path(sys.argv[1]))
"""
    result = run_python(code, str(tmp_path / "toy"))
    assert result.returncode == 9, result.stderr
    assert (tmp_path / "toy" / "model.safetensors").exists()
    with pytest.raises(CheckpointError, match=r"zoo\.json is missing"):
        load_checkpoint(tmp_path / "toy")
    make_checkpoint(tmp_path / "toy")
    assert load_checkpoint(tmp_path / "toy").zoo_card.version == 1
