"""All shipped checkpoints, measured: `python -m training.evaluate --all --data-dir DATA`.

Writes `results/results.csv` and, from it and what else is in `results/`, `results/results.png` and
`docs/results.md`.
"""

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "results", ROOT / "docs" / "results.md"
COLUMNS = (
    "checkpoint",
    "top1",
    "top5",
    "loss",
    "ece",
    "parameters",
    "operations",
    "images_per_second",
    "recipe",
    "seed",
    "epochs",
    "device",
    "hours",
    "published",
)
HEAD = """# Results

Measured by this project's programs; published figures are the papers' own, under their own
protocols. This page is written by `python -m training.evaluate --all --data-dir DATA`.

## Checkpoints

Full test sets, single crops, from the files in `weights/`. Loss is cross-entropy in nats, ECE the
expected calibration error over 15 bins, operations are multiply-adds for one image. Device and
hours are those of the training; "28 + 34 epochs" are 34 from weights that had 28, and the hours
those of both. Images per second are the model's in this evaluation, on {machine}. All columns are
in [results.csv](../results/results.csv).
"""


def write(
    data_dir: str, *, download: bool = False, results: Path = RESULTS, page: Path = PAGE
) -> list[str]:
    """Measures all checkpoints and writes the table and the page.

    Returns:
        "checkpoint: metric" for each figure that a card states otherwise.
    """
    import zoo
    from training.data import read
    from training.tasks.classification.measure import differing, evaluate, stated_by

    rows, differs = [], []
    for name in classifiers():
        model = zoo.load(name, activation="softmax")
        card = model.zoo_card
        print(f"{name} …", flush=True)
        images = read(card.training.data, "test", data_dir, download=download)
        done = evaluate(model, images, card.preprocess)
        measured = done.scores.result()
        rows.append(row(model, measured, done.model_speed))
        differs += [f"{name}: {m}" for m in differing(measured, stated_by(card, "test"))]
    results.mkdir(exist_ok=True)
    with open(results / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_page(results, page)
    return differs


def classifiers() -> list[str]:
    """The shipped checkpoints that these tables are of."""
    import zoo
    from zoo.registry import find

    names = zoo.list_weights()
    return [n for n in names if find(n.partition(".")[0]).task == "classification"]


def row(model, measured: dict[str, float], speed: float) -> dict:
    """The columns of one checkpoint."""
    from zoo.models.cost import multiply_adds

    card = model.zoo_card
    training = card.training
    epochs, seconds = length(training)
    return {
        "checkpoint": card.name,
        **{name: round(value, 6) for name, value in measured.items()},
        "parameters": card.params,
        "operations": multiply_adds(model),
        "images_per_second": round(speed),
        "recipe": " ".join([training.recipe, *training.settings]),
        "seed": training.seed,
        "epochs": epochs,
        "device": training.device,
        "hours": round(seconds / 3600, 2),
        "published": training.published,
    }


def length(training) -> tuple[str, float]:
    """Epochs, in words, and seconds of a training and of those that it began from."""
    parts = [training.origin, training] if training.origin else [training]
    return " + ".join(str(part.epochs) for part in parts), sum(part.wall_time for part in parts)


def write_page(results: Path = RESULTS, page: Path = PAGE) -> None:
    """Writes the page and its picture from results.csv and the reproductions (*.md) beside it."""
    import keras

    from training.machine import device

    with open(results / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [
        "| checkpoint | top-1 | top-5 | loss | ECE | parameters | operations | images/s | training "
        "| published |",
        "|---" * 10 + "|",
    ]
    for r in rows:
        lines.append(
            f"| `{r['checkpoint']}` | {float(r['top1']):.2%} | {float(r['top5']):.2%} | "
            f"{float(r['loss']):.4f} | {float(r['ece']):.2%} | {int(r['parameters']) / 1e6:.2f} M "
            f"| {int(r['operations']) / 1e6:.1f} M | {r['images_per_second']} | {r['epochs']} "
            f"epochs, seed {r['seed']}, {float(r['hours']):.1f} h, {r['device']} | "
            f"{r['published'] or '–'} |"
        )
    head = HEAD.format(machine=f"{device()}, {keras.backend.backend()}")
    picture = "![Errors, operations and hours of every checkpoint](../results/results.png)"
    parts = [head.strip(), "\n".join(lines), picture]
    _draw(rows, results / "results.png")
    reproductions = sorted(results.glob("*.md"))
    if reproductions:
        titles = [(p, p.read_text().splitlines()[0].removeprefix("# ")) for p in reproductions]
        links = [f"- [{title}](../results/{p.name})" for p, title in titles]
        parts += ["## Tables and figures of the papers", "\n".join(links)]
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n\n".join(parts) + "\n")


def _draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    rows = sorted(rows, key=lambda r: float(r["top1"]))
    names = [r["checkpoint"] for r in rows]
    panels = {
        "test error (%)": [100 * (1 - float(r["top1"])) for r in rows],
        "calibration error (%)": [100 * float(r["ece"]) for r in rows],
        "million multiply-adds": [int(r["operations"]) / 1e6 for r in rows],
        "hours of training": [float(r["hours"]) for r in rows],
    }
    figure = Figure(figsize=(11, 1 + 0.28 * len(rows)), dpi=100, layout="constrained")
    places = figure.subplots(1, 4, sharey=True)
    for axes, (label, values) in zip(places, panels.items(), strict=True):
        bars = axes.barh(names, values, height=0.7)
        axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
        axes.set(xlabel=label)
        axes.margins(x=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
