"""Table II on USPS, from finished runs: `python -m training.results.maxnorm_table2 RUNS`.

Source: Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
Connections". Reads the runs in RUNS/maxnorm_table2_usps, of several seeds and learning rates where
there are such; writes maxnorm_table2_usps.csv, .md and .png. A row without a run that finished or
diverged is said to be missing.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from training.recipes.maxnorm_table2_usps import ROWS
from training.results.runs import Run, command, diverged, read_json, read_run
from zoo.errors import ZooError

NAME = "maxnorm_table2_usps"
RESULTS = Path(__file__).parents[2] / "results"
LABELS = {
    "bn": "BN",
    "lrelu": "LReLU",
    "maxnorm": "max-norm",
    "bn_lrelu": "BN + LReLU",
    "bn_maxnorm": "BN + max-norm",
    "lrelu_maxnorm": "LReLU + max-norm",
    "bn_lrelu_maxnorm": "BN + LReLU + max-norm",
}
COLUMNS = (
    "row",
    "state",
    "learning_rate",
    "seed",
    "epochs",
    "train_error",
    "published_train_error",
    "test_error",
    "test_error_moving_averages",
    "published_test_error",
    "minutes",
    "backend",
    "device",
    "commit",
    "command",
)
HEAD = """# 100 dense layers on USPS: table II of Oyedotun et al. (2020)

Errors in percent, published beside measured. Test errors of rows with batch norm are given with
the statistics estimated anew on the training set ("test") and with the moving averages of the
training ("test, moving"); the train errors are those of the whole training set after the last
epoch. A run whose loss exceeds all bounds is given up as diverged. Rates are learning rates; the
paper chooses them within [1e-4, 0.1]. Written by `python -m training.results.maxnorm_table2 RUNS`;
all columns, commands among them, are in [{name}.csv]({name}.csv).
"""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.results.maxnorm_table2", description=__doc__
    )
    parser.add_argument("runs", type=Path, help=f"folder that holds {NAME}/ROW")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder of the results")
    arguments = parser.parse_args(argv)
    try:
        missing = write(arguments.runs, arguments.to)
    except ZooError as error:
        print(f"training.results.maxnorm_table2: {error}", file=sys.stderr)
        return 2
    if missing:
        print(f"Missing: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


def write(runs: Path, to: Path) -> list[str]:
    """Writes the three files and returns the rows that are missing.

    Raises:
        ValueError: there is no finished run at all, or one cannot be read or is not of its row.
    """
    found = list(_found(runs / NAME))
    if not any(run for *_, run in found):
        raise ZooError(f"{runs / NAME} holds no finished run of {', '.join(ROWS)}.")
    rows = [_columns(*one) for one in found]
    to.mkdir(parents=True, exist_ok=True)
    with open(to / f"{NAME}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _draw([(row, run) for row, *_, run in found if run], to / f"{NAME}.png")
    (to / f"{NAME}.md").write_text(_page(rows))
    return [row for row, state, *_ in found if state == "missing"]


def _found(folder: Path) -> Iterator[tuple[str, str, dict | None, Run | None]]:
    """(row, state, what run.json says, the run if it finished) of every run, in the rows' order."""
    by_row: dict[str, list] = {row: [] for row in ROWS}
    for path in sorted(folder.glob("*/run.json")):
        about = read_json(path)
        run, reason = read_run(path.parent), diverged(path.parent)
        row = about["name"].removeprefix(f"{NAME}/")
        if row not in by_row:
            raise ZooError(f"{path.parent} is a run of {about['name']}, of no row of {NAME}.")
        if run or reason:
            state = "finished" if run else f"diverged: {reason}"
            by_row[row].append((row, state, about, run))
    for row, runs in by_row.items():
        # The learning rate of all rows comes first.
        yield from sorted(runs, key=lambda r: (len(r[2]["settings"]), _seed(r[2]))) or [
            (row, "missing", None, None)
        ]


def _seed(about: dict) -> int:
    return about["recipe"]["seed"]


def _columns(row: str, state: str, about: dict | None, run: Run | None) -> dict:
    *_, train, test = ROWS[row]
    columns = {"row": row, "state": state}
    columns |= {"published_train_error": train, "published_test_error": test}
    if about is None:
        return columns
    columns |= {
        "learning_rate": about["recipe"]["learning_rate"],
        "seed": _seed(about),
        "backend": about["backend"],
        "device": about["device"],
        "commit": about["commit"],
        "command": command(about),
    }
    if run is None:
        return columns
    moving = run.error("test, moving averages")
    return columns | {
        "epochs": len(run.history),
        "train_error": round(run.error("train"), 3),
        "test_error": round(run.error("test"), 3),
        "test_error_moving_averages": "" if moving is None else round(moving, 3),
        "minutes": round(run.minutes, 1),
    }


def _page(rows: list[dict]) -> str:
    lines = [
        "| components | published train | train | published test | test | test, moving | rate | "
        "seed | epochs | minutes |",
        "|---" * 10 + "|",
    ]
    for row in rows:
        published = f"{row['published_train_error']:.2f}", f"{row['published_test_error']:.2f}"
        if row["state"] == "finished":
            moving = row["test_error_moving_averages"]
            cells = (
                f"{row['train_error']:.2f}",
                f"{row['test_error']:.2f}",
                "–" if moving == "" else f"{moving:.2f}",
                *(str(row[key]) for key in ("learning_rate", "seed", "epochs", "minutes")),
            )
        else:
            given = (str(row.get(key, "–")) for key in ("learning_rate", "seed"))
            cells = row["state"], "–", "–", *given, "–", "–"
        cells = (LABELS[row["row"]], published[0], cells[0], published[1], *cells[1:])
        lines.append(f"| {' | '.join(cells)} |")
    finished = [row for row in rows if row["state"] == "finished"]
    done = [row for row in rows if row["state"] != "missing"]
    where = dict.fromkeys(f"{r['backend']}, {r['device']}, commit {r['commit']}" for r in done)
    parts = [HEAD.format(name=NAME).strip(), "\n".join(lines)]
    parts += _seeds(finished)
    parts.append("Computed on: " + "; ".join(where) + ".")
    commands = "\n".join(f"    {row['command']} --data-dir DATA" for row in done)
    parts += [f"Commands:\n\n{commands}", f"![Training and test error by epoch]({NAME}.png)"]
    return "\n\n".join(parts) + "\n"


def _seeds(finished: list[dict]) -> list[str]:
    """A sentence for each row of several seeds."""
    sentences = []
    for row, label in LABELS.items():
        tests = [r["test_error"] for r in finished if r["row"] == row]
        if len(tests) > 1:
            sentences.append(
                f"{label}, {len(tests)} seeds: {statistics.mean(tests):.2f} ± "
                f"{statistics.stdev(tests):.2f}% test error (mean and standard deviation)."
            )
    return sentences


def _draw(runs: list[tuple[str, Run]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), dpi=100, layout="constrained")
    training, test = figure.subplots(1, 2, sharey=True)
    colors = {row: f"C{i}" for i, row in enumerate(ROWS)}
    named = set()
    for row, run in runs:
        label = LABELS[row] if row not in named else None
        named.add(row)
        for axes, key in ((training, "accuracy"), (test, "test_accuracy")):
            points = [(r["epoch"], 100 * (1 - r[key])) for r in run.history if key in r]
            if points:
                axes.plot(*zip(*points, strict=True), color=colors[row], label=label, lw=1.2)
    training.set(xlabel="epoch", ylabel="error (%)", ylim=(0, 100), title="training set")
    test.set(xlabel="epoch", title="test set, moving averages")
    training.legend(fontsize=8)
    for axes in (training, test):
        axes.grid(alpha=0.3)
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
