"""Filter correlation with and without orthonormality: `python -m training.results.plainnet_figure2
RUNS`.

Source: Xie et al., "All You Need is Beyond a Good Init", figure 2 and the column of the 44-layer
net in table 2. Reads the finished runs RUNS/plainnet44_cifar10 and RUNS/plainnet44_cifar10_l2;
writes plainnet_figure2.csv, .md and .png.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from training.results.runs import Run, program, read_run
from zoo.errors import ZooError

NAME = "plainnet_figure2"
# run -> (label, published accuracy of table 2, published correlation of figure 2)
METHODS = {
    "plainnet44_cifar10": ("orthonormality", "88.42", "about 6e-3"),
    "plainnet44_cifar10_l2": ("He initialization + L2", "84.14", "about 2.5 times that"),
}
HEAD = """# Orthonormality in 44 plain layers, CIFAR-10: figure 2 and table 2 of Xie et al. (2017)

Correlation is the mean cosine of all pairs of different filters of a convolution, pooled over the
pairs of all convolutions (`zoo.signals.filter_correlations`; the paper's equation 8 without the
pairs of a filter with itself). Whether the paper means signed or absolute values is not told there:
of the two, which are both given, the signed ones are nearer its figures. It shows them over the
training; here they are those of the last epoch. Both runs have the same budget, which is shorter
than the paper's 164 epochs where the table says so. Written by
`python -m training.results.plainnet_figure2 RUNS`; the figures of each layer are in
[{name}.csv]({name}.csv).
"""


def main(argv: list[str] | None = None) -> int:
    return program(NAME, __doc__, write, argv, runs=f"folder that holds {' and '.join(METHODS)}")


def write(runs: Path, to: Path) -> None:
    """Writes the three files.

    Raises:
        ZooError: a run is missing, unfinished or unreadable, or the two had different budgets.
    """
    by_name = {name: read_run(runs / name) for name in METHODS}
    missing = [str(runs / name) for name, run in by_name.items() if run is None]
    if missing:
        raise ZooError(f"The comparison needs both finished runs. Missing: {', '.join(missing)}")
    budgets = {
        tuple(run.about["recipe"][k] for k in ("epochs", "batch_size")) for run in by_name.values()
    }
    if len(budgets) > 1:
        raise ZooError(f"The runs differ in (epochs, batch_size): {sorted(budgets)}")
    layers = {name: correlations(run.folder / "checkpoint") for name, run in by_name.items()}
    to.mkdir(parents=True, exist_ok=True)
    with open(to / f"{NAME}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run", "layer", "filters", "pairs", "correlation", "absolute"))
        for name, of_run in layers.items():
            for layer, (filters, cosines) in of_run.items():
                writer.writerow((name, layer, filters, len(cosines), *map(_round, _means(cosines))))
            writer.writerow(
                (name, "all", "", len(_pooled(of_run)), *map(_round, _means(_pooled(of_run))))
            )
    _draw(layers, to / f"{NAME}.png")
    (to / f"{NAME}.md").write_text(_page(by_name, layers))


def correlations(checkpoint: Path) -> dict[str, tuple[int, np.ndarray]]:
    """Convolution -> (number of filters, cosines of all pairs), in the order of the network."""
    import keras

    import zoo
    from zoo.signals import filter_correlations

    model = zoo.load(str(checkpoint))
    return {
        layer.name: (layer.filters, filter_correlations(layer.kernel))
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Conv2D)
    }


def _pooled(layers: dict[str, tuple[int, np.ndarray]]) -> np.ndarray:
    return np.concatenate([cosines for _, cosines in layers.values()])


def _means(cosines: np.ndarray) -> tuple[float, float]:
    return float(cosines.mean()), float(np.abs(cosines).mean())


def _round(value: float) -> str:
    return f"{value:.4g}"


def _page(runs: dict[str, Run], layers: dict) -> str:
    lines = [
        "| method | published accuracy | accuracy | moving averages | published correlation | "
        "correlation | absolute | epochs | seed | minutes |",
        "|---" * 10 + "|",
    ]
    for name, (label, accuracy, correlation) in METHODS.items():
        run = runs[name]
        signed, absolute = _means(_pooled(layers[name]))
        moving = run.error("test, moving averages")
        cells = (
            label,
            accuracy,
            f"{100 - run.error('test'):.2f}",
            "–" if moving is None else f"{100 - moving:.2f}",
            correlation,
            _round(signed),
            _round(absolute),
            str(len(run.history)),
            str(run.about["recipe"]["seed"]),
            f"{run.minutes:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    ours, baseline = (_means(_pooled(layers[name])) for name in METHODS)
    ratio = f"{baseline[0] / ours[0]:.2f}" if ours[0] > 0 else "not defined"
    first = runs[next(iter(METHODS))]
    where = f"{first.about['backend']}, {first.about['device']}, commit {first.about['commit']}"
    commands = "\n".join(f"    {run.command} --data-dir DATA" for run in runs.values())
    parts = [
        HEAD.format(name=NAME).strip(),
        "\n".join(lines),
        f"Ratio of the correlations, second to first: {ratio} (published: about 2.5); of the "
        f"absolute ones {baseline[1] / ours[1]:.2f}. Accuracies in percent, on the test set.",
        f"Computed on: {where}.",
        f"Commands:\n\n{commands}",
        f"![Correlation of each layer]({NAME}.png)",
    ]
    return "\n\n".join(parts) + "\n"


def _draw(layers: dict, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    titles = ("mean cosine of filter pairs", "mean absolute cosine")
    for i, (axes, title) in enumerate(zip(figure.subplots(1, 2), titles, strict=True)):
        for name, (label, *_) in METHODS.items():
            means = [_means(cosines)[i] for _, cosines in layers[name].values()]
            axes.plot(range(1, len(means) + 1), means, marker=".", label=label)
        axes.set(xlabel="convolution", title=title)
        axes.axhline(0, color="gray", lw=0.8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
