"""What is wrong with a set of annotated photos."""

from collections import defaultdict
from pathlib import Path

SHOWN = 3  # examples of each kind of problem


class Problems:
    """What is wrong with a source, and what was done about it. Its text is a report.

    Args:
        source: Path or str, the file or folder.

    Attributes:
        source: as above.
        places: dict of a kind of problem, as a phrase -> every place where it is.

    Example:

    >>> problems = Problems("train.json")
    >>> problems.add("box of zero area, left out", "annotation 7")
    >>> print(problems)
    train.json has problems:
      1 x box of zero area, left out: annotation 7
    """

    def __init__(self, source: Path | str):
        self.source = source
        self.places: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, place: str) -> None:
        """Notes one more of a kind."""
        self.places[kind].append(place)

    def extend(self, other: "Problems") -> None:
        """Notes all that another report has."""
        for kind, places in other.places.items():
            self.places[kind].extend(places)

    def __len__(self) -> int:
        return sum(map(len, self.places.values()))

    def __str__(self) -> str:
        lines = [f"{self.source} has problems:"]
        for kind, places in self.places.items():
            more = f"; and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            lines.append(f"  {len(places)} x {kind}: {'; '.join(places[:SHOWN])}{more}")
        return "\n".join(lines)
