"""What backends write to file descriptor 2 is kept from the console, unless something fails."""

import pytest

from tests.support.helpers import run_python

pytestmark = pytest.mark.once

# C++ writes to the descriptor, Python to sys.stderr.
CODE = """
import os, sys, warnings
sys.argv = ["zoo"]  # imports no backend
from zoo.cli.quiet import quiet
from zoo.errors import ZooError
with quiet({enabled}):
    os.write(2, b"from C++\\n")
    print("from Python", file=sys.stderr)
    warnings.warn("a warning", stacklevel=1)
    {last}
os.write(2, b"from C++ later\\n")
"""


def stderr(last: str = "pass", enabled: bool = True) -> str:
    return run_python(CODE.format(last=last, enabled=enabled)).stderr


def test_keeps_back_the_descriptor_alone():
    lines = stderr().splitlines()
    assert (lines[0], lines[-1]) == ("from Python", "from C++ later")
    assert "UserWarning: a warning" in lines[1]
    assert "from C++" not in lines


def test_verbose():
    assert stderr(enabled=False).startswith("from C++\nfrom Python\n")


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        ("raise ZooError('no such name')", False),
        ("sys.exit(2)", False),
        ("raise ImportError('no backend')", True),
    ],
)
def test_failures_show_what_was_kept_back(last, shown):
    lines = stderr(last).splitlines()
    assert ("from C++" in lines) == shown
    assert "from C++ later" not in lines


def test_a_crash_leaves_its_place():
    assert "Fatal Python error: Aborted" in stderr("os.abort()")
