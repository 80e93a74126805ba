"""What a fine-tuning gave: for people, as tables, as a picture."""

import csv
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import write_atomically
from zoo.tuning.drawing import draw_confusion


@dataclass(frozen=True)
class Tuned:
    """The result of `zoo.finetune`; `str` of it tells people.

    Attributes:
        folder: str, of the checkpoint, which `zoo.load` takes.
        accuracy: float, of the checkpoint on the validation pictures.
        loss: float, cross-entropy in nats, likewise.
        probe_accuracy: float, of the linear classifier on the checkpoint's fixed features.
        epochs: int, that were trained.
        best_epoch: int, the one whose weights were kept; 0 for the linear probe.
        training_pictures: int.
        validation_pictures: int.
        classes: tuple of str.
        confused: tuple of (true class, predicted class, how often), most frequent first.
        seconds: float, of probe and epochs.
        notes: tuple of str, what was left out of the folder and why.
    """

    folder: str
    accuracy: float
    loss: float
    probe_accuracy: float
    epochs: int
    best_epoch: int
    training_pictures: int
    validation_pictures: int
    classes: tuple[str, ...]
    confused: tuple[tuple[str, str, int], ...]
    seconds: float
    notes: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, result: Mapping[str, Any]) -> "Tuned":
        """The result that a folder holds.

        Args:
            folder: Path.
            result: mapping of the other attributes, as from JSON.
        """
        values: dict[str, Any] = {**result, "folder": str(folder)}
        values["confused"] = tuple(tuple(pair) for pair in values["confused"])
        values |= {key: tuple(values[key]) for key in ("classes", "notes")}
        return cls(**values)

    def __str__(self) -> str:
        kept = f"epoch {self.best_epoch} of {self.epochs}" if self.best_epoch else "linear probe"
        lines = [
            f"{self.folder}: {self.accuracy:.1%} of {self.validation_pictures:,} validation "
            f"pictures right ({kept}; linear probe {self.probe_accuracy:.1%}; "
            f"{len(self.classes)} classes, {self.training_pictures:,} training pictures, "
            f"{self.seconds / 60:.1f} minutes)"
        ]
        if self.confused:
            lines.append("most confused:")
            lines += [f"  {a} taken for {b}: {count} times" for a, b, count in self.confused]
        name = shlex.quote(self.folder)
        lines += [
            "next:",
            f"  zoo predict {name} photo.jpg",
            f"  zoo info {name}",
            f"  zoo publish {name} hf://you/name --dry-run",
        ]
        return "\n".join(lines)


def write_tables(
    out: Path,
    history: Sequence[dict[str, Any]],
    matrix: np.ndarray,
    labels: Sequence[str],
    validation: Iterable[tuple[str, str, str, float]],
) -> None:
    """Writes curve.csv, confusion.csv, confusion.png and validation.csv.

    Args:
        out: Path, folder.
        history: rows of the training.
        matrix: of `zoo.tuning.figures.confusion`.
        labels: sequence of str, the classes.
        validation: for each validation picture its file, its class, the class that was predicted,
            and the probability of that.
    """
    columns = list(dict.fromkeys(key for row in history for key in row))
    _write_csv(
        out / "curve.csv", [columns, *([row.get(c, "") for c in columns] for row in history)]
    )
    rows = ([label, *counts] for label, counts in zip(labels, matrix.tolist(), strict=True))
    _write_csv(out / "confusion.csv", [["true \\ predicted", *labels], *rows])
    _write_csv(
        out / "validation.csv",
        [
            ["file", "class", "predicted", "probability"],
            *([name, own, other, f"{p:.4f}"] for name, own, other, p in validation),
        ],
    )
    picture = io.BytesIO()
    draw_confusion(matrix, labels).save(picture, "PNG")
    write_atomically(out / "confusion.png", picture.getvalue())


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomically(path, text.getvalue().encode())
