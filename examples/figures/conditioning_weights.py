"""Condition numbers of the weights of 100 plain layers: naive, batch norm, all three remedies.

Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip Connections",
section VI.A and figure 5.

    python -m examples.figures.conditioning_weights --data-dir DATA [--runs RUNS]

The nets are those of `maxnorm_nets`, which tells how they were trained, on USPS. Initial weights
are shown, too, for condition numbers of square random matrices are large by themselves.
"""

from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common, maxnorm_nets
from zoo.signals.theory.matrices import condition_number
from zoo.signals.weights import map_kernels

NAME = "conditioning_weights"


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of finished runs")
    options = parser.parse_args(argv)
    if options.judge:
        _save(options, common.table(NAME, options))
        return
    keras.utils.set_random_seed(0)
    x, y = common.images("usps", "train", options, zoo.preprocessing.USPS)
    depth, nets, epochs = maxnorm_nets.nets(options, x, y)
    nets["initial"], epochs["initial"] = zoo.create(f"maxnorm_mlp{depth}"), 0
    rows = []
    for name, model in nets.items():
        numbers = list(map_kernels(model, condition_number).values())[:-1]  # no classifier
        rows += [
            {"net": name, "epochs": epochs[name], "layer": i, "condition": number}
            for i, number in enumerate(numbers, start=1)
        ]
    _save(options, rows)


def _save(options, rows) -> None:
    epochs = {row["net"]: row["epochs"] for row in rows}
    figure, ((panel,),) = common.axes(1, width=6)
    medians, largest = {}, {}
    for name in epochs:
        values = np.array([r["condition"] for r in rows if r["net"] == name])
        # The first kernel is not square.
        medians[name], largest[name] = np.median(values[1:]), values[1:].max()
        panel.plot(range(1, len(values) + 1), values, label=name, lw=1)
    panel.set(xlabel="layer", ylabel="condition number, infinity norm", yscale="log")
    panel.legend(fontsize=8)
    common.save(
        NAME,
        figure,
        rows,
        paper="Oyedotun et al., “Revisiting the Training of Very Deep Neural Networks without "
        "Skip Connections”, figure 5 (USPS)",
        claim="Weights of the net with BN alone have very high condition numbers; those of the "
        "naive net, which hardly move, and of the proposed one moderate ones.",
        verdict="Median condition number of the square layers: "
        + ", ".join(f"{name} {medians[name]:.2g} (largest {largest[name]:.1g})" for name in epochs)
        + ".",
        seen=medians["BN"] > 3 * max(medians["naive"], medians["proposed"]),
        budget="USPS; epochs of training: "
        + ", ".join(f"{name} {epochs[name]}" for name in maxnorm_nets.NAMES)
        + "; theirs 300",
        command="python -m examples.figures.conditioning_weights --data-dir DATA --runs RUNS",
        to=options.to,
        judged=options.judge,
    )


if __name__ == "__main__":
    main()
