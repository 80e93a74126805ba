"""What is wrong with a set of annotated photos."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ZooError

SHOWN = 3  # examples of each kind of problem


class Problems:
    """What is wrong with a source, and what was done about it.

    Attributes:
        source: the file.
        found: kind of problem -> every place where it was found.
    """

    def __init__(self, source: Path | str):
        self.source = source
        self.found: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, place: str):
        self.found[kind].append(place)

    def __len__(self):
        return sum(map(len, self.found.values()))

    def __str__(self):
        lines = [f"{self.source} has problems:"]
        for kind, places in self.found.items():
            more = f"; and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            lines.append(f"  {len(places)} x {kind}: {'; '.join(places[:SHOWN])}{more}")
        return "\n".join(lines)


@contextlib.contextmanager
def decoding(path: Path | str) -> Iterator[None]:
    """Turn whatever a decoder raises about `path` into one ZooError that names the file."""
    try:
        yield
    except (FileNotFoundError, ImportError, MemoryError, PermissionError, ZooError):
        raise
    except Exception as error:  # each decoder has its own kinds
        raise ZooError(
            f"{path} cannot be decoded ({type(error).__name__}: {error}); the file is corrupt, "
            "truncated or of another format: replace it by a fresh copy"
        ) from error
