import shutil

import pytest

from tests.support.checkpoints import make_checkpoint
from tests.support.loopback import Hub


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """(folder, model) of a checkpoint that is written once; tests copy or only read it."""
    folder = tmp_path_factory.mktemp("template")
    model, _ = make_checkpoint(folder)
    return folder, model


@pytest.fixture
def folder(template, tmp_path):
    """A checkpoint folder to spoil."""
    return shutil.copytree(template[0], tmp_path / "toy")


@pytest.fixture
def hub():
    """A Hub on this machine; nothing may be sent to it that the real one would not take."""
    with Hub() as server:
        yield server
    assert server.problems == []
