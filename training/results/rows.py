"""The rows of a recipe file, compared, from finished runs: `python -m training.results.rows FILE
RUNS`.

Reads the runs in RUNS/FILE, of several seeds and settings where there are such; writes FILE.csv,
FILE_curves.csv, .md and .png. What the two tables have of a run that is not in RUNS stays, so that
run folders need not be kept. A row without a run that finished or diverged is said to be missing.
"""

import csv
import statistics
import sys
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
CURVES = ("row", "command", "epoch", "train_error", "test_error")
HEAD = """# {title}

{paper}

{protocol}

Errors in percent. Test errors of nets with batch norm are given with the statistics estimated anew
on the training set ("test") and with the moving averages of the training ("test, moving"); the
train errors are those of the whole training set after the last epoch. A run whose loss exceeds all
bounds is given up as diverged. Published figures are the paper's own. Written by
`python -m training.results.rows {name} RUNS`; all columns, commands among them, are in
[{name}.csv]({name}.csv), the errors by epoch in
[{name}_curves.csv]({name}_curves.csv).
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
    """Writes the four files and returns the rows that are missing.

    Raises:
        ZooError: no such file of rows; there is no finished run at all, or one cannot be read or
            is not of its row.
    """
    name = str(file)
    known = [row for row in recipes.names("classification") if "/" in row]
    rows = [row for row in known if row.startswith(f"{name}/")]
    if not rows:
        files = sorted({row.partition("/")[0] for row in known})
        raise ZooError(f"{name} holds no rows of recipes. Those that do: {', '.join(files)}.")
    order = [_short(row) for row in rows]
    table, curves = to / f"{name}.csv", to / f"{name}_curves.csv"
    done, points = _rows_of_runs(rows, runs / name)
    current = {row["command"] for row in done}
    for lines, path in ((done, table), (points, curves)):
        kept = (line for line in _read(path) if line["row"] in order)
        lines += [line for line in kept if line["command"] and line["command"] not in current]
    if not any(row["state"] == "finished" for row in done):
        raise ZooError(f"{runs / name} holds no finished run.")
    missing = [row for row in order if row not in {row["row"] for row in done}]
    done += [{"row": row, "state": "missing"} for row in missing]
    for row in done:
        row["published"] = recipes.find(f"{name}/{row['row']}").published
    # The settings of all rows come first.
    done.sort(key=lambda r: (order.index(r["row"]), len(r.get("command", "").split()), _seed(r)))
    points.sort(key=lambda r: (order.index(r["row"]), r["command"], int(r["epoch"])))

    to.mkdir(parents=True, exist_ok=True)
    for path, columns, lines in ((table, COLUMNS, done), (curves, CURVES, points)):
        with open(path, "w", newline="") as handle:
            writer = csv.DictWriter(handle, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
    _draw(order, _read(curves), to / f"{name}.png")
    (to / f"{name}.md").write_text(_page(name, _read(table)))
    return missing


def _rows_of_runs(rows: list[str], folder: Path) -> tuple[list[dict], list[dict]]:
    """The lines of the table and those of the curves that the runs in a folder give."""
    done, points = [], []
    for path in sorted(folder.glob("*/run.json")):
        about = read_json(path)
        run, reason = read_run(path.parent), diverged(path.parent)
        if about["name"] not in rows:
            raise ZooError(
                f"{path.parent} is a run of {about['name']}, of no row of {folder.name}."
            )
        if run or reason:
            state = "finished" if run else f"diverged: {reason}"
            done.append(_columns(state, about, run))
            points += _curve(run) if run else []
    return done, points


def _read(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _seed(row: dict) -> int:
    return int(row.get("seed") or 0)


def _short(row: str) -> str:
    return row.partition("/")[2]


def _columns(state: str, about: dict, run: Run | None) -> dict:
    columns = {
        "row": _short(about["name"]),
        "state": state,
        "learning_rate": about["recipe"]["learning_rate"],
        "seed": about["recipe"]["seed"],
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


def _curve(run: Run) -> list[dict]:
    """Errors by epoch: of the training as it went, and of the test set where it was looked at."""
    return [
        {
            "row": _short(run.about["name"]),
            "command": run.command,
            "epoch": epoch["epoch"],
            "train_error": round(100 * (1 - epoch["accuracy"]), 3),
            "test_error": round(100 * (1 - epoch["test_accuracy"]), 3)
            if "test_accuracy" in epoch
            else "",
        }
        for epoch in run.history
    ]


def _page(name: str, rows: list[dict]) -> str:
    lines = [
        "| row | train | test | test, moving | published | rate | seed | epochs | minutes |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        if row["state"] == "finished":
            moving = row["test_error_moving_averages"]
            cells = (
                f"{float(row['train_error']):.2f}",
                f"{float(row['test_error']):.2f}",
                "–" if moving == "" else f"{float(moving):.2f}",
                row["published"],
                *(row[key] for key in ("learning_rate", "seed", "epochs", "minutes")),
            )
        else:
            settings = (row[key] or "–" for key in ("learning_rate", "seed"))
            cells = row["state"], "–", "–", row["published"], *settings, "–", "–"
        lines.append(f"| {' | '.join((row['row'], *cells))} |")
    done = [row for row in rows if row["state"] != "missing"]
    where = dict.fromkeys(f"{r['backend']}, {r['device']}, commit {r['commit']}" for r in done)
    about = recipes.about(f"{name}/{rows[0]['row']}")
    parts = [
        HEAD.format(
            title=about.title, name=name, paper=f"Paper: {about.paper}",
            protocol=f"Protocol: {about.protocol}",
        ).strip(),
        "\n".join(lines),
        *_seeds(rows),
        f"Computed on: {'; '.join(where)}.",
        "Commands:\n\n" + "\n".join(f"    {row['command']} --data-dir DATA" for row in done),
        f"![Training and test error by epoch]({name}.png)",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _seeds(rows: list[dict]) -> list[str]:
    """A sentence for each row of several seeds."""
    finished: dict[str, list[float]] = {}
    for row in rows:
        if row["state"] == "finished":
            finished.setdefault(row["row"], []).append(float(row["test_error"]))
    return [
        f"{row}, {len(errors)} seeds: median {statistics.median(errors):.2f}%, mean "
        f"{statistics.mean(errors):.2f} ± {statistics.stdev(errors):.2f}% test error."
        for row, errors in finished.items()
        if len(errors) > 1
    ]


def _draw(order: list[str], points: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), dpi=100, layout="constrained")
    training, test = figure.subplots(1, 2, sharey=True)
    curves: dict[tuple[int, str], list[dict]] = {}
    for point in points:
        curves.setdefault((order.index(point["row"]), point["command"]), []).append(point)
    named = set()
    for (number, _), curve in sorted(curves.items()):
        label = order[number] if number not in named else None
        named.add(number)
        for axes, key in ((training, "train_error"), (test, "test_error")):
            line = [(int(point["epoch"]), float(point[key])) for point in curve if point[key]]
            if line:
                axes.plot(*zip(*line, strict=True), color=f"C{number}", label=label, lw=1.2)
    training.set(xlabel="epoch", ylabel="error (%)", ylim=(0, 100), title="training set")
    test.set(xlabel="epoch", title="test set, moving averages")
    training.legend(fontsize=8)
    for axes in (training, test):
        axes.grid(alpha=0.3)
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
