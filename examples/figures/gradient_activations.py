"""Gradient norms by activation, with and without batch normalization, and their prediction.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figures 5 and 6.

    python -m examples.figures.gradient_activations

The plain net of 20 dense layers of figure 1 with SELU, tanh and ReLU, and what the theory predicts
from the last layer down. The paper does not say how often it repeats here; 4096 times, as in its
figure 1, take ten minutes.
"""

import numpy as np

from examples.figures.common import axes, parser, save
from examples.figures.gradient_nets import dense_net, growth, mean_norms
from zoo.signals.nonlinearities import activation_ratios

NAME = "gradient_activations"
DEPTH = 20
# Kernels N(0, gain / width), as the paper has them.
GAINS = {"selu": 1.0, "tanh": 2.0, "relu": 2.0}


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--repetitions", type=int, default=4096)
    options = arguments.parse_args(argv)
    repetitions = 4 if options.quick else options.repetitions
    cases = [(a, norm) for a in GAINS for norm in (True, False)]
    nets = [dense_net(DEPTH, activation, norm) for activation, norm in cases]
    means = mean_norms(nets, [GAINS[a] for a, _ in cases], repetitions)
    norms = dict(zip(cases, means, strict=True))
    figure, (places,) = axes(2)
    layers = np.arange(1, DEPTH + 1)
    rows = []
    for i, (activation, norm) in enumerate(cases):
        values = norms[activation, norm]
        predicted = values[-1] * activation_ratios(activation).growth ** (DEPTH - layers)
        style = "-" if norm else "--"
        label = f"{activation}, {'with' if norm else 'no'} batch norm"
        places[0].semilogy(layers, values, style, color=f"C{i // 2}", label=label)
        if norm:
            places[1].semilogy(layers, values, color=f"C{i // 2}", label=f"{activation}, measured")
            places[1].semilogy(layers, predicted, ":", color="black")
        rows += [
            {
                "activation": activation,
                "batch_norm": norm,
                "layer": int(layer),
                "gradient_norm": value,
                "predicted": guess,
            }
            for layer, value, guess in zip(layers, values, predicted, strict=True)
        ]
    for ax in places:
        ax.set(xlabel="layer", ylabel="||dl/dW||")
        ax.legend(fontsize="small")
    places[1].set_title("dotted: theory, from the last layer", fontsize="medium")
    rates = {case: growth(values) for case, values in norms.items()}
    exact = {a: activation_ratios(a).growth for a in GAINS}
    text = "; ".join(
        f"{a} {rates[a, True]:.3f} (theory {exact[a]:.3f}; without it {rates[a, False]:.3f})"
        for a in GAINS
    )
    # Twenty layers of 1.01 would be 1.22 in all: no explosion.
    stable = [f"{a}, {'with' if n else 'no'} batch norm" for (a, n), r in rates.items() if r < 1.01]
    if stable:
        text += f"; not exploding: {', '.join(stable)}"
    seen = [
        not stable,
        *(rates["selu", n] < rates["tanh", n] < rates["relu", n] for n in (True, False)),
        all(abs(rates[a, True] / exact[a] - 1) < 0.03 for a in GAINS),
        all(rates[a, True] >= 0.995 * rates[a, False] for a in GAINS),
    ]
    save(
        NAME,
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, figures 5 and 6",
        claim="Gradients explode whatever the activation, least with SELU and most with ReLU, by "
        "the square root of the rate r per layer; batch normalization increases it.",
        verdict=f"Growth per layer with batch normalization: {text}.",
        seen=all(seen),
        budget=f"Random inputs, {repetitions} repetitions.",
        command=f"python -m examples.figures.{NAME} --repetitions {repetitions}"
        + (" --quick" if options.quick else ""),
        to=options.to,
    )


if __name__ == "__main__":
    main()
