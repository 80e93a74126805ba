"""The table, the page and the picture of all measured transfers, in results/."""

import csv
import statistics
from collections import defaultdict
from pathlib import Path

COLUMNS = (
    "data",
    "classes",
    "checkpoint",
    "version",
    "size",
    "method",
    "fraction",
    "seed",
    "images",
    "top1",
    "train_images",
    "test_images",
    "epochs",
    "seconds",
    "backend",
    "device",
)
KEY = ("data", "checkpoint", "version", "size", "method", "fraction", "seed", "images")
SHOWN = ("data", "checkpoint", "method", "fraction", "seed", "top1")
HEAD = """# Transfer

What pretrained weights are worth on pictures of other classes: test accuracy in percent with 1%,
10% and all of the labels. *Linear probe* and *nearest neighbours* use the frozen net's pooled
features; *fine-tuned* trains the whole net from the checkpoint, *from scratch* the same net from
fresh weights on as many pictures. Classes that one of the compared checkpoints has learned are left
out. Means over seeds, with the standard deviation where there are several; each column counts its
own. Written by `python -m training.transfer CHECKPOINT… --to DATASET… --data-dir DATA`; every
measurement is in [transfer.csv](transfer.csv).

![accuracy by share of the labels](transfer.png)
"""
METHODS = ("linear probe", "nearest neighbours", "fine-tuned", "from scratch")


def read(folder: Path) -> list[dict]:
    """The rows of the table, [] where there is none."""
    file = folder / "transfer.csv"
    if not file.exists():
        return []
    with open(file, newline="") as handle:
        return list(csv.DictReader(handle))


def same(row: dict, other: dict) -> bool:
    """Whether two rows tell of the same measurement."""
    return all(str(row[key]) == str(other[key]) for key in KEY)


def write(rows: list[dict], folder: Path) -> None:
    """Writes the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(
        rows, key=lambda r: (r["data"], r["checkpoint"], r["method"], float(r["fraction"]))
    )
    with open(folder / "transfer.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    means = summary(rows)
    (folder / "transfer.md").write_text(_page(rows, means))
    _draw(means, folder / "transfer.png")


def summary(rows: list[dict]) -> dict[tuple, list[float]]:
    """(data, size, checkpoint, method, fraction) -> accuracies in percent, one a seed."""
    groups = defaultdict(list)
    for row in rows:
        key = (row["data"], str(row["size"]), row["checkpoint"], row["method"])
        groups[*key, float(row["fraction"])].append(100 * float(row["top1"]))
    return groups


def _page(rows: list[dict], means: dict[tuple, list[float]]) -> str:
    lines = [HEAD]
    for data in sorted({row["data"] for row in rows}):
        of_data = [row for row in rows if row["data"] == data]
        budgets = sorted({int(r["images"]) for r in of_data if int(r["images"])})
        lines += [f"\n## {data}: {of_data[0]['classes']} classes\n"]
        lines += [f"Test images: {of_data[0]['test_images']}."]
        lines += [f"Pictures that a net is trained on: {', '.join(map(str, budgets))}."] * bool(
            budgets
        )
        fractions = sorted({float(row["fraction"]) for row in of_data})
        head = ["checkpoint", "pixels", "method", *(f"{f:.0%}" for f in fractions)]
        lines += ["", _line(head), _line(["---"] * len(head))]
        nets = sorted({(row["checkpoint"], str(row["size"])) for row in of_data})
        for checkpoint, size in nets:
            for method in METHODS:
                cells = [means.get((data, size, checkpoint, method, f), []) for f in fractions]
                if any(cells):
                    lines.append(_line([f"`{checkpoint}`", size, method, *map(_cell, cells)]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.1f}"


def _draw(means: dict[tuple, list[float]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sets = sorted({key[0] for key in means})
    figure, axes = plt.subplots(
        len(sets), len(METHODS), figsize=(13, 3.4 * len(sets)), squeeze=False, sharey="row"
    )
    nets = sorted({key[1:3] for key in means})
    for row, data in zip(axes, sets, strict=True):
        for axis, method in zip(row, METHODS, strict=True):
            for number, (size, checkpoint) in enumerate(nets):
                key = (data, size, checkpoint, method)
                points = sorted(
                    (k[4], statistics.mean(v)) for k, v in means.items() if k[:4] == key
                )
                if points:
                    axis.plot(
                        *zip(*points, strict=True),
                        "o-",
                        color=f"C{number}",
                        label=f"{checkpoint}, {size} px",
                    )
            axis.set(xscale="log", title=f"{data}: {method}", xlabel="share of the labels")
            axis.grid(alpha=0.3)
        row[0].set_ylabel("test accuracy, %")
    handles: dict = {}
    for axis in axes.flat:
        lines, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, lines, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=3, fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)
