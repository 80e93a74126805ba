"""Writes docs/figures.md, the gallery, from what the figure scripts left in docs/figures.

    python -m examples.figures.gallery [--check]

With `--check` it changes nothing and fails where the page is behind.
"""

import argparse
import json
import sys
from pathlib import Path

from examples.figures.common import FOLDER
from zoo.errors import ZooError

ANSWERS = {True: "yes", False: "no", None: "not judged"}
KEYS = ("paper", "claim", "verdict", "seen", "budget", "command")
HEAD = """# The papers' figures

What the papers show of their networks, measured anew by the instruments of `zoo.signals`. Every
verdict is computed from the numbers beside its picture, and says whether the paper's claim is seen
at our budget, which often is smaller than the paper's: "no" then speaks of that budget, and not of
the paper. "Not judged" is a claim about trained nets where ours have learned nothing, or whose
numbers have not been measured again since its criterion changed. The scripts are in
[`examples/figures`](../examples/figures); this page is written by
`python -m examples.figures.gallery`.

What counts as seen is this project's choice, and was not fixed beforehand everywhere. After a
first result, activations_mean got a wider criterion, crelu_coherence one relative to random
filters, activations_dying logits and a lower rate, conditioning_training another initialization,
percentage and bound, conditioning_curvature another initialization and estimator (the paper's
absolute values are not met in either). Later all criteria were made stricter: a claim of stability
is tested against the threshold of `zoo probe`, a claim about every layer or start is not pooled,
infinite values are counted, an order of single runs must be one of a factor of two, and nets must
have learned. `--judge` applies a criterion to the table of the last run. Other backends than that
of a command start from other weights.

Not drawn here: Hu, figures 1 (right), 4 (right) and 7 to 9 and proposition C.2; Huang et al.,
figures 8 and 9, A2 to A4, A7 to A9, A11 and A13, and figures 6 and 7 beyond 110 layers; Oyedotun
et al., figures 1, 2, 6, 7 and 9, and everything of COIL-20; Xie et al., figure 6, and figures 3 and
4 over a whole training.
"""


def entries(folder: Path = FOLDER) -> dict[str, dict]:
    """Figure -> what its script says about it.

    Raises:
        ZooError: a figure lacks one of its three files, or its JSON is not as `common.save`
            writes it.
    """
    names = sorted({path.stem for path in folder.iterdir() if path.suffix in (".png", ".json")})
    figures = {}
    for name in names:
        missing = [e for e in ("png", "csv", "json") if not (folder / f"{name}.{e}").is_file()]
        if missing:
            raise ZooError(f"{folder / name} lacks: {', '.join(missing)}. Run its script again.")
        figures[name] = json.loads((folder / f"{name}.json").read_text())
        if set(figures[name]) != set(KEYS):
            raise ZooError(f"{name}.json must have the keys {KEYS}. Received: {[*figures[name]]}")
    return figures


def page(figures: dict[str, dict]) -> str:
    """The gallery in Markdown: a table of all figures, then each with its picture, by paper."""
    papers: dict[str, list[str]] = {}
    for name, about in figures.items():
        papers.setdefault(_split(about["paper"])[0], []).append(name)
    seen = sum(about["seen"] is True for about in figures.values())
    table = ["| figure | of the paper | claim seen |", "|---|---|---|"]
    sections = []
    for paper in sorted(papers):
        sections.append(f"## {paper}")
        for name in papers[paper]:
            about = figures[name]
            where, answer = _split(about["paper"])[1], ANSWERS[about["seen"]]
            authors = paper.partition(",")[0]
            table.append(f"| [{name}](#{name}) | {authors}, {where} | {answer} |")
            sections.append(
                f"### {name}\n\n{where[0].upper()}{where[1:]}.\n\n"
                f"- The paper: {about['claim']}\n"
                f"- Here: {about['verdict']}\n"
                f"- Seen: **{answer}**\n"
                f"- Rests on: {about['budget']}\n"
                f"- Again: `{about['command']}`; numbers: [CSV](figures/{name}.csv)\n\n"
                f"![{name}](figures/{name}.png)"
            )
    count = f"{len(figures)} figures; the claims of {seen} are seen here."
    return "\n\n".join([HEAD.strip(), count, "\n".join(table), *sections]) + "\n"


def _split(paper: str) -> tuple[str, str]:
    """Authors and title, and which figure."""
    title, _, where = paper.partition("”, ")
    return f"{title}”", where


def main(argv: list[str] | None = None) -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args(argv).check
    path = FOLDER.parent / "figures.md"
    text = page(entries())
    if check:
        return int(not path.is_file() or path.read_text() != text)
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
