"""Gradient norms of plain and residual dense nets, layer by layer.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figure 1 (left) and figure 10.

    python -m examples.figures.gradient_depth [--repetitions 256]

Dense layers of width 256 with batch normalization and ReLU, batches of 128 normal inputs, normal
errors on top; the mean over many starts, which are the same for both nets of a depth. As in the
paper 4096 times, which takes ten minutes; 256 leave standard errors below 1 %.
"""

import numpy as np

from examples.figures.common import axes, parser, save
from examples.figures.gradient_nets import dense_net, growth, mean_norms
from zoo.signals.nonlinearities import activation_ratios

NAME = "gradient_depth"


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--repetitions", type=int, default=4096)
    given = options.parse_args(argv)
    repetitions = 4 if given.quick else given.repetitions
    figure, places = axes(2)
    rows, text, seen = [], [], []
    for depth, ax in zip((20, 40), places[0], strict=True):
        nets = [dense_net(depth), dense_net(depth, skips=True)]
        plain, residual = mean_norms(nets, [2.0, 2.0], repetitions)
        for name, norms in (("PlainNet", plain), ("ResNet", residual)):
            ax.semilogy(range(1, depth + 1), norms, ".-", label=f"{name}{depth}")
            rows += [
                {"net": f"{name}{depth}", "layer": i, "gradient_norm": norm}
                for i, norm in enumerate(norms, start=1)
            ]
        ax.set(xlabel="layer", ylabel="||dl/dW||")
        ax.legend()
        exact = activation_ratios("relu").growth
        rates = [growth(plain), growth(residual)]
        text.append(
            f"PlainNet{depth} {rates[0]:.3f} times per layer (theory {exact:.3f}), first over last "
            f"{plain[0] / plain[-1]:.3g}; ResNet{depth} {rates[1]:.3f} times, "
            f"{residual[0] / residual[-1]:.3g}"
        )
        # Exponential: a straight line of the predicted slope. Roughly linear: far below it.
        line = np.corrcoef(np.arange(depth), np.log(plain))[0, 1] ** 2
        seen.append(abs(rates[0] / exact - 1) < 0.03 and line > 0.99)
        seen.append(residual[0] / residual[-1] < (plain[0] / plain[-1]) / 3)
    command = f"python -m examples.figures.{NAME} --repetitions {repetitions}"
    save(
        NAME,
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, figures 1 and 10",
        claim="From the last layer to the first the gradient norm grows exponentially in a plain "
        "net, and roughly linearly in a residual one.",
        verdict="Gradient norms grow towards the input: " + "; ".join(text) + ".",
        seen=all(seen),
        budget=f"Random inputs, {repetitions} repetitions (paper: 4096).",
        command=command + (" --quick" if given.quick else ""),
        to=given.to,
    )


if __name__ == "__main__":
    main()
