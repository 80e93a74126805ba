import pytest

from tests.support.fixtures import folder as folder
from tests.support.fixtures import template as template
from tests.support.loopback import Hub


@pytest.fixture
def hub():
    """A Hub on this machine; nothing may be sent to it that the real one would not take."""
    with Hub() as server:
        yield server
    assert server.problems == []
