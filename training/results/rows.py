"""The rows of a recipe file, compared, from finished runs: `python -m training.results.rows FILE
RUNS`.

Reads the runs in RUNS/FILE, of several seeds and settings where there are such; writes FILE.csv,
.md and .png. A row without a run that finished or diverged is said to be missing.
"""

import csv
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from training import recipe as recipes
from training.results.runs import RESULTS, Run, command, diverged, program, read_json, read_run
from zoo.errors import ZooError

COLUMNS = (
    "row",
    "state",
    "learning_rate",
    "seed",
    "epochs",
    "train_error",
    "test_error",
    "test_error_moving_averages",
    "published",
    "minutes",
    "backend",
    "device",
    "commit",
    "command",
)
HEAD = """# {title}

{paper}

{protocol}

Errors in percent. Test errors of nets with batch norm are given with the statistics estimated anew
on the training set ("test") and with the moving averages of the training ("test, moving"); the
train errors are those of the whole training set after the last epoch. A run whose loss exceeds all
bounds is given up as diverged. Published figures are the paper's own. Written by
`python -m training.results.rows {name} RUNS`; all columns, commands among them, are in
[{name}.csv]({name}.csv).
"""


def main(argv: list[str] | None = None) -> int:
    return program(
        "rows",
        __doc__,
        write,
        argv,
        file="file of training/recipes/ that holds rows",
        runs="folder that holds FILE/ROW",
    )


def write(file: str | Path, runs: Path, to: Path = RESULTS) -> list[str]:
    """Writes the three files and returns the rows that are missing.

    Raises:
        ZooError: no such file of rows; there is no finished run at all, or one cannot be read or
            is not of its row.
    """
    name = str(file)
    known = [row for row in recipes.names(recipes.Recipe) if "/" in row]
    rows = [row for row in known if row.startswith(f"{name}/")]
    if not rows:
        files = sorted({row.partition("/")[0] for row in known})
        raise ZooError(f"{name} holds no rows of recipes. Those that do: {', '.join(files)}.")
    found = list(_found(rows, runs / name))
    if not any(run for *_, run in found):
        raise ZooError(f"{runs / name} holds no finished run.")
    columns = [_columns(*one) for one in found]
    to.mkdir(parents=True, exist_ok=True)
    with open(to / f"{name}.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(columns)
    _draw(rows, [(row, run) for row, *_, run in found if run], to / f"{name}.png")
    (to / f"{name}.md").write_text(_page(name, columns))
    return [_short(row) for row, state, *_ in found if state == "missing"]


def _found(rows: list[str], folder: Path) -> Iterator[tuple[str, str, dict | None, Run | None]]:
    """(row, state, what run.json says, the run if it finished) of every run, in the rows' order."""
    by_row: dict[str, list] = {row: [] for row in rows}
    for path in sorted(folder.glob("*/run.json")):
        about = read_json(path)
        run, reason = read_run(path.parent), diverged(path.parent)
        if (row := about["name"]) not in by_row:
            raise ZooError(f"{path.parent} is a run of {row}, of no row of {folder.name}.")
        if run or reason:
            state = "finished" if run else f"diverged: {reason}"
            by_row[row].append((row, state, about, run))
    for row, runs in by_row.items():
        # The settings of all rows come first.
        yield from sorted(runs, key=lambda r: (len(r[2]["settings"]), _seed(r[2]))) or [
            (row, "missing", None, None)
        ]


def _seed(about: dict) -> int:
    return about["recipe"]["seed"]


def _short(row: str) -> str:
    return row.partition("/")[2]


def _columns(row: str, state: str, about: dict | None, run: Run | None) -> dict:
    columns = {"row": _short(row), "state": state, "published": recipes.find(row).published}
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


def _page(name: str, rows: list[dict]) -> str:
    lines = [
        "| row | train | test | test, moving | published | rate | seed | epochs | minutes |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        if row["state"] == "finished":
            moving = row["test_error_moving_averages"]
            cells = (
                f"{row['train_error']:.2f}",
                f"{row['test_error']:.2f}",
                "–" if moving == "" else f"{moving:.2f}",
                row["published"],
                *(str(row[key]) for key in ("learning_rate", "seed", "epochs", "minutes")),
            )
        else:
            given = (str(row.get(key, "–")) for key in ("learning_rate", "seed"))
            cells = row["state"], "–", "–", row["published"], *given, "–", "–"
        lines.append(f"| {' | '.join((row['row'], *cells))} |")
    done = [row for row in rows if row["state"] != "missing"]
    where = dict.fromkeys(f"{r['backend']}, {r['device']}, commit {r['commit']}" for r in done)
    head = recipes.head(f"{name}/{rows[0]['row']}")
    title = head.splitlines()[0].removesuffix(".")
    told = {key: _paragraph(head, key) for key in ("Paper", "Protocol")}
    parts = [
        HEAD.format(
            title=title, name=name, paper=f"Paper: {told['Paper']}",
            protocol=f"Protocol: {told['Protocol']}",
        ).strip(),
        "\n".join(lines),
        *_seeds(rows),
        f"Computed on: {'; '.join(where)}.",
        "Commands:\n\n" + "\n".join(f"    {row['command']} --data-dir DATA" for row in done),
        f"![Training and test error by epoch]({name}.png)",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _paragraph(head: str, key: str) -> str:
    """What the head of a recipe file says under a key, in one line."""
    return " ".join(re.search(rf"^{key}:(.*?)(?=^\w|\Z)", head, re.M | re.S).group(1).split())


def _seeds(rows: list[dict]) -> list[str]:
    """A sentence for each row of several seeds."""
    finished: dict[str, list[float]] = {}
    for row in rows:
        if row["state"] == "finished":
            finished.setdefault(row["row"], []).append(row["test_error"])
    return [
        f"{row}, {len(errors)} seeds: {statistics.mean(errors):.2f} ± "
        f"{statistics.stdev(errors):.2f}% test error (mean and standard deviation)."
        for row, errors in finished.items()
        if len(errors) > 1
    ]


def _draw(rows: list[str], runs: list[tuple[str, Run]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), dpi=100, layout="constrained")
    training, test = figure.subplots(1, 2, sharey=True)
    colors = {row: f"C{i}" for i, row in enumerate(rows)}
    named = set()
    for row, run in runs:
        label = _short(row) if row not in named else None
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
