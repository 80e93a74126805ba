"""What tests share: the image sets beside the clone, arrays of any backend."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests.support import fresh

REPOSITORY = Path(__file__).parent.parent

fresh.start_server()  # before anything is used


def pytest_unconfigure():
    fresh.stop_server()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real image sets; tests that need it are skipped elsewhere."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the image sets are not there: {folder}")
    return folder


@pytest.fixture(autouse=True)
def seeded():
    import keras

    keras.utils.set_random_seed(0)
