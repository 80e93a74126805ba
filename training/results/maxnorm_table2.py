"""Table II on USPS, from finished runs: `python -m training.results.maxnorm_table2 RUNS`.

Source: Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
Connections". Reads RUNS/maxnorm_table2_usps/ROW and, of further seeds, ROW_seedN; writes
maxnorm_table2_usps.csv, .md and .png. A row without a finished run is said to be missing.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from training.recipes.maxnorm_table2_usps import ROWS
from training.results.runs import Run, diverged, read_run
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
epoch. Seeds are the runs' own. Written by `python -m training.results.maxnorm_table2 RUNS`; all
columns, commands among them, are in [{name}.csv]({name}.csv).
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
    """Writes the three files and returns the rows without a finished run.

    Raises:
        ValueError: there is no finished run at all, or one cannot be read or is not of its row.
    """
    found = list(_found(runs / NAME))
    if not any(run for _, _, run in found):
        raise ZooError(f"{runs / NAME} holds no finished run of {', '.join(ROWS)}.")
    rows = [_columns(row, state, run) for row, state, run in found]
    to.mkdir(parents=True, exist_ok=True)
    with open(to / f"{NAME}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _draw([(row, run) for row, _, run in found if run], to / f"{NAME}.png")
    (to / f"{NAME}.md").write_text(_page(rows))
    return [row for row, _, run in found if run is None]


def _found(folder: Path) -> Iterator[tuple[str, str, Run | None]]:
    """(row, state, run) of every run there is, and (row, why not, None) where there is none."""
    for row in ROWS:
        folders = [folder / row, *sorted(folder.glob(f"{row}_seed*"))]
        runs = [run for run in map(read_run, folders) if run]
        for run in runs:
            if run.about["name"] != f"{NAME}/{row}":
                raise ZooError(
                    f"{run.folder} is a run of {run.about['name']}, not of {NAME}/{row}."
                )
            yield row, "finished", run
        if not runs:
            reason = next(filter(None, map(diverged, folders)), None)
            yield row, f"diverged: {reason}" if reason else "missing", None


def _columns(row: str, state: str, run: Run | None) -> dict:
    *_, train, test = ROWS[row]
    columns = {"row": row, "state": state}
    columns |= {"published_train_error": train, "published_test_error": test}
    if run is None:
        return columns
    moving = run.error("test, moving averages")
    return columns | {
        "seed": run.about["recipe"]["seed"],
        "epochs": len(run.history),
        "train_error": round(run.error("train"), 3),
        "test_error": round(run.error("test"), 3),
        "test_error_moving_averages": "" if moving is None else round(moving, 3),
        "minutes": round(run.minutes, 1),
        "backend": run.about["backend"],
        "device": run.about["device"],
        "commit": run.about["commit"],
        "command": run.command,
    }


def _page(rows: list[dict]) -> str:
    lines = [
        "| components | published train | train | published test | test | test, moving | seed | "
        "epochs | minutes |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        published = f"{row['published_train_error']:.2f}", f"{row['published_test_error']:.2f}"
        if row["state"] == "finished":
            moving = row["test_error_moving_averages"]
            cells = (
                f"{row['train_error']:.2f}",
                f"{row['test_error']:.2f}",
                "–" if moving == "" else f"{moving:.2f}",
                *(str(row[key]) for key in ("seed", "epochs", "minutes")),
            )
        else:
            cells = row["state"], "–", "–", "–", "–", "–"
        cells = (LABELS[row["row"]], published[0], cells[0], published[1], *cells[1:])
        lines.append(f"| {' | '.join(cells)} |")
    finished = [row for row in rows if row["state"] == "finished"]
    where = dict.fromkeys(f"{r['backend']}, {r['device']}, commit {r['commit']}" for r in finished)
    parts = [HEAD.format(name=NAME).strip(), "\n".join(lines)]
    parts += _seeds(finished)
    parts.append("Computed on: " + "; ".join(where) + ".")
    commands = "\n".join(f"    {row['command']} --data-dir DATA" for row in finished)
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
