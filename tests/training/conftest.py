from pathlib import Path

import pytest

from tests.support import toy
from tests.support.programs import finish, start


@pytest.fixture
def toy_data(monkeypatch):
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory) -> Path:
    """The folder of a finished training on the toy set."""
    run = tmp_path_factory.mktemp("uninterrupted")
    finish(start(run))
    return run
