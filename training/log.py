"""log.csv, log.json, curve.png and TensorBoard's events of a run folder."""

import csv
import io
import json
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_atomically


def write_log(run: Path, history: list[dict], *, tensorboard: bool = False) -> None:
    """Writes the whole history anew, so that a killed and resumed run has each epoch once."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(history)
    write_atomically(run / "log.csv", text.getvalue().encode())
    write_atomically(run / "log.json", json.dumps(history, indent=1).encode())
    draw_curve(run / "curve.png", history)
    if tensorboard:
        write_events(run / "tensorboard", history[-1])


def events_writer():
    """TensorBoard's class that writes its files, which needs no TensorFlow.

    Raises:
        ZooError: it is not installed.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise ZooError(f"--tensorboard needs the package tensorboard ({error}).") from error
    return Writer


def write_events(folder: Path, row: dict) -> None:
    """The figures of one epoch for TensorBoard."""
    writer = events_writer()(str(folder))
    for key, value in row.items():
        if key != "epoch":
            writer.add_scalar(key, value, row["epoch"])
    writer.close()


def draw_curve(path: Path, history: list[dict]) -> None:
    """Error in percent by epoch, training (with augmentation) and test or held out; of a training
    without accuracy, its losses. Needs matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    if any("accuracy" in row for row in history):
        shown = {
            "accuracy": "training",
            "test_accuracy": "test, moving averages",
            "held_out_accuracy": "held out, moving averages",
        }
        lines = {shown[key]: _points(history, key, lambda v: 100 * (1 - v)) for key in shown}
        axes.set(xlabel="epoch", ylabel="error (%)")
    else:
        keys = sorted({key for row in history for key in row if key.endswith("loss")})
        lines = {key.replace("_", " "): _points(history, key) for key in keys}
        axes.set(xlabel="round", ylabel="loss")
    for label, points in lines.items():
        if points:
            axes.plot(
                *zip(*points, strict=True), label=label, marker="." if len(points) < 60 else ""
            )
    axes.set(ylim=(0, None))
    axes.grid(alpha=0.3)
    if history:
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())


def _points(history: list[dict], key: str, shown=lambda value: value) -> list[tuple]:
    return [(row["epoch"], shown(row[key])) for row in history if key in row]
