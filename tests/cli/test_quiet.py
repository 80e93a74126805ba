"""What backends write to file descriptor 2 stays away from the console, unless something fails."""

import subprocess
import sys

import pytest
from helpers import run_python

pytestmark = pytest.mark.once

# Stands in for a backend: C++ writes to the descriptor, Python to sys.stderr.
BLOCK = """
import os, sys, warnings
from zoo.cli.quiet import quiet
from zoo.errors import ZooError
with quiet({enabled}):
    os.write(2, b"from C++\\n")
    print("from Python", file=sys.stderr)
    warnings.warn("a warning")
    {last}
os.write(2, b"afterwards\\n")
"""


def told(last: str = "pass", enabled: bool = True) -> str:
    return run_python(BLOCK.format(last=last, enabled=enabled)).stderr
