"""What the figure scripts share: their options, and the files that each of them writes."""

import argparse
import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

FOLDER = Path(__file__).parents[2] / "docs" / "figures"
ANSWERS = {True: "seen", False: "not seen", None: "not judged"}


def parser(doc: str) -> argparse.ArgumentParser:
    """Options of every figure script: `--quick`, `--judge`, `--to FOLDER`, `--data-dir DATA`."""
    options = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    options.add_argument("--quick", action="store_true", help="a small version, within seconds")
    options.add_argument(
        "--judge",
        action="store_true",
        help="measure nothing: draw and judge the table of the last run again, where possible",
    )
    options.add_argument("--to", type=Path, default=FOLDER, help="folder of the figures")
    options.add_argument("--data-dir", default="data", help="folder of the data sets")
    return options


def learned(loss: float, classes: int = 10) -> bool:
    """Whether a classifier's loss is a tenth below that of guessing, log(classes)."""
    return loss < 0.9 * math.log(classes)


def table(name: str, options) -> list[dict[str, Any]]:
    """The rows of the last run, for `--judge`; numbers have the five digits of the file."""
    with open(options.to / f"{name}.csv", newline="") as file:
        return [{key: _number(cell) for key, cell in row.items()} for row in csv.DictReader(file)]


def axes(columns: int, rows: int = 1, width: float = 4.5, height: float = 3.2):
    """A figure and its axes, an array of (rows, columns), without any window."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), dpi=80, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.flat:
        panel.grid(alpha=0.3)
    return figure, panels


def images(name: str, split: str, options, preparation, count: int | None = None):
    """The first `count` images of a data set, preprocessed, and their labels.

    With `--quick` 64 random ones in their place, so that no data set is needed.

    Args:
        name, split: see `training.data.read`.
        options: of `parser`.
        preparation: a model of `zoo.load`, or a `zoo.preprocessing.Preprocess`.
        count: None for all of them, in their own order.
    """
    import zoo
    from training import data

    if options.quick:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (64, *data.DATASETS[name].shape), "uint8")
        y = rng.integers(0, 10, 64)
    else:
        x, y, _ = dataclasses.astuple(data.read(name, split, options.data_dir))
    return zoo.preprocess(preparation, x[:count]), y[:count]


def train(model, x, y, *, steps: int, batch: int) -> float:
    """Trains a compiled classifier for so many steps, and gives its loss, a mean over them."""
    index = np.random.default_rng(int(model.optimizer.iterations)).permutation(len(x))
    index = np.resize(index, steps * batch)
    history = model.fit(x[index], y[index], batch_size=batch, shuffle=False, verbose=0)
    return history.history["loss"][0]


def save(
    name: str,
    figure,
    rows: Sequence[Mapping[str, object]],
    *,
    paper: str,
    claim: str,
    verdict: str,
    seen: bool | None,
    budget: str,
    command: str,
    to: Path = FOLDER,
    judged: bool = False,
) -> None:
    """Writes NAME.png, NAME.csv and NAME.json, and prints the verdict.

    Args:
        name: of the files.
        figure: of matplotlib; None where the picture of an earlier run stays.
        rows: of the table, all with the same keys.
        paper: authors, title, figure: "Hu, "…", figure 6".
        claim: what the paper says, in one sentence.
        verdict: what is measured here, with its numbers, computed from the rows.
        seen: whether the claim is seen here, computed, too; None where nothing can be said, as of
            nets that have learned nothing.
        budget: data, training and repetitions that the figure rests on, and where that is less
            than the paper's.
        command: that writes the files again; the backend is put before it.
        to: folder.
        judged: whether the rows are those of an earlier run, whose table and command stay.
    """
    if judged:
        command = json.loads((to / f"{name}.json").read_text())["command"]
    elif (backend := keras.backend.backend()) != "tensorflow":  # starts from other weights
        command = f"KERAS_BACKEND={backend} {command}"
    to.mkdir(parents=True, exist_ok=True)
    if figure is not None:
        _save_picture(figure, to / f"{name}.png")
    if not judged:
        with open(to / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    about = {
        "paper": paper,
        "claim": claim,
        "verdict": verdict,
        "seen": None if seen is None else bool(seen),
        "budget": budget,
        "command": command,
    }
    (to / f"{name}.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: {ANSWERS[about['seen']]}. {verdict}")


def _save_picture(figure, path: Path) -> None:
    from PIL import Image

    file = io.BytesIO()
    figure.savefig(file, format="png")
    # 256 colours: a third of the bytes, and nothing that the eye would miss.
    Image.open(file).convert("RGB").quantize(256).save(path, optimize=True)


def _cell(value):
    return f"{value:.5g}" if isinstance(value, float | np.floating) else value


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
