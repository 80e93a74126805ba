"""Writes the table of checkpoints into README.md from the cards: `python -m training.readme_table`.

With `--check` it changes nothing and fails where the README is behind.
"""

import argparse
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- checkpoints: python -m training.readme_table -->\n", "<!-- end -->\n"


def table() -> str:
    """The checkpoints as a Markdown table."""
    import zoo
    from training.results.checkpoints import classifiers, length

    lines = [
        "| checkpoint | input | parameters | data | measured top-1 | measured error | "
        "published error | training |",
        "|---" * 8 + "|",
    ]
    for name in classifiers():
        card = zoo.card(name)
        top1 = next(m for m in card.metrics if (m.split, m.name) == ("test", "top1"))
        training = card.training
        epochs, seconds = length(training)
        lines.append(
            f"| `{name}` | {card.summary} | {card.params / 1e6:.2f}M | "
            f"{top1.dataset} {top1.split}, {top1.n} | "
            f"{top1.value:.2%} | {1 - top1.value:.2%} | {training.published or '–'} | "
            f"{epochs} epochs, {seconds / 60:.0f} min, {training.device}, "
            f"{training.backend} |"
        )
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """README text with the table of now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.readme_table", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args(argv).check
    text = README.read_text()
    new = renewed(text)
    if check:
        return int(new != text)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
