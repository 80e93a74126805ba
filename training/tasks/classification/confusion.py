"""What a classifier takes for what, and how far its confidence can be trusted, as pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

READABLE = 25  # classes whose names and counts fit into the picture


def most_confused(
    confusion: np.ndarray, labels: Sequence[str], count: int = 10
) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: (right class, predicted class, examples), most first.

    Args:
        confusion: (classes, classes) counts, rows are the right classes.
        labels: names of the classes.
        count: pairs at most; pairs that never occur are left out.
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:count]
    pairs = [divmod(int(i), len(wrong)) for i in order]
    return [(labels[i], labels[j], int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def draw_confusion(confusion: np.ndarray, labels: Sequence[str], path: Path, title: str) -> None:
    """Writes the confusion matrix in percent of each right class as a PNG.

    Up to `READABLE` classes have their names and numbers in it; more are drawn without, and the
    most confused pairs are listed beside it.
    """
    from matplotlib.figure import Figure

    classes = len(confusion)
    percent = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    readable = classes <= READABLE
    side = max(4.5, 0.55 * classes) + 1.5 if readable else 7
    figure = Figure(figsize=(side if readable else 11, side), dpi=100, layout="constrained")
    axes, *beside = np.atleast_1d(
        figure.subplots(1, 1 if readable else 2, width_ratios=[1] if readable else [2, 1])
    )
    # Mistakes are few beside the diagonal: a linear scale would show white.
    axes.imshow(np.sqrt(percent), cmap="Blues", vmin=0, vmax=10, interpolation="nearest")
    axes.set(xlabel="predicted", ylabel="right", title=title)
    if readable:
        axes.set_xticks(range(classes), labels, rotation=45, ha="right")
        axes.set_yticks(range(classes), labels)
        for i, j in np.argwhere(confusion > 0):
            text = f"{percent[i, j]:.0f}" if percent[i, j] >= 0.95 else f"{percent[i, j]:.1f}"
            color = "white" if percent[i, j] > 40 else "black"
            axes.text(j, i, text, ha="center", va="center", color=color, fontsize=8)
    else:
        beside[0].axis("off")
        lines = [f"{n:5d}  {a} → {b}" for a, b, n in most_confused(confusion, labels, 30)]
        text = "\n".join(["most confused (right → predicted)", *lines])
        beside[0].text(0, 1, text, va="top", fontsize=8, family="monospace", parse_math=False)
    figure.savefig(path)


def draw_reliability(bins: np.ndarray, path: Path, title: str) -> None:
    """Writes accuracy by confidence, and the share of the examples at it, as a PNG.

    Args:
        bins: (bins, 3): examples, sum of confidences, number of right ones.
    """
    from matplotlib.figure import Figure

    count, confidence, right = bins.T
    left, width = np.arange(len(bins)) / len(bins), 1 / len(bins)
    used = count > 0
    figure = Figure(figsize=(5, 6), dpi=100, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    accuracy = right[used] / count[used]
    above.bar(left[used], accuracy, width, align="edge", edgecolor="white", label="accuracy")
    above.plot(confidence[used] / count[used], accuracy, "k.", label="at the mean confidence")
    above.plot([0, 1], [0, 1], "--", color="gray", label="calibrated")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy", title=title)
    above.legend(loc="upper left")
    below.bar(left, 100 * count / max(count.sum(), 1), width, align="edge", edgecolor="white")
    below.set(xlabel="confidence", ylabel="examples (%)")
    figure.savefig(path)
