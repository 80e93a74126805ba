"""Gradient norms of plain and residual dense nets, layer by layer.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figure 1 (left) and figure 10.

    python -m examples.figures.gradient_depth [--repetitions 256]

Dense layers of width 256 with batch normalization and ReLU, batches of 128 normal inputs, normal
errors on top; the mean over many starts, which are the same for both nets of a depth. As in the
paper 4096 times, which takes ten minutes; 256 leave standard errors below 1 %.
"""

import numpy as np

from examples.figures.common import axes, parser, save, table
from examples.figures.gradient_nets import dense_net, growth, mean_norms
from zoo.signals.nonlinearities import activation_ratios

NAME = "gradient_depth"
NETS = ("PlainNet", "ResNet")


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--repetitions", type=int, default=4096)
    options = arguments.parse_args(argv)
    repetitions = 4 if options.quick else options.repetitions
    rows = table(NAME, options) if options.judge else _measured(repetitions)
    exact = activation_ratios("relu").growth
    figure, places = axes(2)
    text, seen = [], []
    for depth, ax in zip((20, 40), places[0], strict=True):
        plain, residual = (
            np.array([row["gradient_norm"] for row in rows if row["net"] == f"{name}{depth}"])
            for name in NETS
        )
        for name, norms in zip(NETS, (plain, residual), strict=True):
            ax.semilogy(range(1, depth + 1), norms, ".-", label=f"{name}{depth}")
        ax.set(xlabel="layer", ylabel="||dl/dW||")
        ax.legend()
        rates = [growth(plain), growth(residual)]
        line, power = (_straightness(values) for values in (residual, np.log(residual)))
        text.append(
            f"PlainNet{depth} {rates[0]:.3f} times per layer (theory {exact:.3f}), first over last "
            f"{plain[0] / plain[-1]:.3g}; ResNet{depth} {rates[1]:.3f} times, "
            f"{residual[0] / residual[-1]:.3g}, a straight line explains {line:.0%} of its norms, "
            f"an exponential {power:.0%}"
        )
        # Exponential: a straight line of the predicted slope in the logarithm.
        seen.append(abs(rates[0] / exact - 1) < 0.03 and _straightness(np.log(plain)) > 0.99)
        seen.append(residual[0] / residual[-1] < (plain[0] / plain[-1]) / 3)
        if depth == 20:  # the paper has the deeper one explode, too (appendix C.3)
            seen.append(line > power)
    command = f"python -m examples.figures.{NAME} --repetitions {repetitions}"
    budget = f"Random inputs, {repetitions} repetitions (paper: 4096)."
    save(
        NAME,
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, figures 1 (left) "
        "and 10",
        claim="From the last layer to the first the gradient norm grows exponentially in a plain "
        "net, and roughly linearly in a residual one.",
        verdict="Gradient norms grow towards the input: " + "; ".join(text) + ".",
        seen=all(seen),
        budget=budget,
        command=command + (" --quick" if options.quick else ""),
        to=options.to,
        judged=options.judge,
    )


def _measured(repetitions: int) -> list[dict]:
    rows = []
    for depth in (20, 40):
        nets = [dense_net(depth), dense_net(depth, skips=True)]
        for name, norms in zip(NETS, mean_norms(nets, [2.0, 2.0], repetitions), strict=True):
            rows += [
                {"net": f"{name}{depth}", "layer": i, "gradient_norm": norm}
                for i, norm in enumerate(norms, start=1)
            ]
    return rows


def _straightness(values: np.ndarray) -> float:
    """R^2 of a straight line over the layers."""
    return float(np.corrcoef(np.arange(len(values)), values)[0, 1] ** 2)


if __name__ == "__main__":
    main()
