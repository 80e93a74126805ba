"""Writes benchmarks/README.md from `results/*.json`: `python -m benchmarks.report`."""

import importlib
import json
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """# Benchmarks

Contenders run in processes of their own, in turn, several rounds in one run; a time is the median
of the rounds' medians, and only ratios within one run mean anything. This page is written by
`python -m benchmarks.report` from what the commands below left in `results/`.
"""


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    lines = [f"| {title} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(str(row.get(c, '–')) for c in columns)} |")
    return "\n".join(lines)


def section(path: Path) -> str:
    report = json.loads(path.read_text())
    about = importlib.import_module(f"benchmarks.{path.stem}").__doc__.strip()
    parts = [f"## {path.stem}", about, f"`{report['command']}` on {report['machine']}"]
    if report["times_as_fast"]:
        parts.append(table("times as fast", report["times_as_fast"]))
    parts.append(table("milliseconds", report["milliseconds"]))
    return "\n\n".join(parts)


def main() -> None:
    sections = [section(path) for path in sorted((HERE / "results").glob("*.json"))]
    (HERE / "README.md").write_text("\n\n".join([HEAD.strip(), *sections]) + "\n")


if __name__ == "__main__":
    main()
