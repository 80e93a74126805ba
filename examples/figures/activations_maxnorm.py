"""Activations of 100 plain layers: without help, with batch norm, and with all three remedies.

Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip Connections",
figures 3, 4, 8 and A1, those of USPS.

    python -m examples.figures.activations_maxnorm --data-dir DATA [--runs RUNS]

Figures 2, 6 and 7, of COIL-20, are not drawn. `maxnorm_nets` tells where the nets come from. The
shipped `maxnorm_plainnet50.cifar10` goes with them.
"""

import json
from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common, maxnorm_nets
from zoo.signals import Probe, Tap, activation_statistics, identity, mean_cosine

PAPER = (
    "Oyedotun et al., “Revisiting the Training of Very Deep Neural Networks without Skip "
    "Connections”, "
)
COMMAND = "python -m examples.figures.activations_maxnorm --data-dir DATA --runs RUNS"
CONV = "proposed, 50 convolutions"
NAMES = ("activations_mean", "activations_maximum", "activations_above", "activations_responses")


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of finished runs")
    options = parser.parse_args(argv)
    answers = None
    if options.judge:
        tables = {name: common.table(name, options) for name in NAMES}
        stored = json.loads((options.to / f"{NAMES[0]}.json").read_text())
        budget = stored["budget"]
    else:
        tables, answers, budget = _measured(options)
    about = {"budget": budget, "command": COMMAND, "to": options.to, "judged": options.judge}
    _mean(tables["activations_mean"], about)
    _maximum(tables["activations_maximum"], about)
    _above(tables["activations_above"], about)
    _responses(tables["activations_responses"], answers, about)


def _measured(options):
    """The tables, the activations (net, layer) -> (examples, units), and what they rest on."""
    keras.utils.set_random_seed(0)
    x, y = common.images("usps", "train", options, zoo.preprocessing.USPS)
    depth, nets, epochs = maxnorm_nets.nets(options, x, y)
    statistics = {name: _statistics(model, x) for name, model in nets.items()}
    if not options.quick:
        model = zoo.load("maxnorm_plainnet50.cifar10")
        test = common.images("cifar10", "test", options, model, 500)[0]
        statistics[CONV] = _statistics(model, test)
    trained = ", ".join(f"{name} {epochs[name]}" for name in maxnorm_nets.NAMES)
    budget = f"{len(x)} training images of USPS; epochs of training: {trained}; theirs 300"
    if options.quick:
        budget = f"{depth} layers and {len(x)} random images"
    tables: dict[str, list[dict]] = {name: [] for name in NAMES}
    for name, layers in statistics.items():
        largest = max(layer["mean_absolute"] for layer in layers)
        for i, layer in enumerate(layers, start=1):
            place = {"net": name, "layer": i}
            mean = layer["mean_absolute"]
            tables["activations_mean"].append(
                place | {"mean_absolute": mean, "normalized": mean / largest}
            )
            tables["activations_maximum"].append(place | {"max": layer["max_absolute"]})
            above = {key: value for key, value in layer.items() if key.startswith("above")}
            tables["activations_above"].append(place | above)
    answers = {}
    for name in maxnorm_nets.NAMES:
        for i, a in _answers(nets[name], x, depth).items():
            answers[name, i] = a
            spread = float(a.std(axis=0).mean() / np.abs(a).mean()) if a.any() else 0.0
            tables["activations_responses"].append(
                {"net": name, "layer": i, "cosine": mean_cosine(a), "spread": spread}
            )
    return tables, answers, budget


def _statistics(model, x) -> list[dict[str, float]]:
    statistics = activation_statistics(model, np.array_split(x, -(-len(x) // 500)))
    return [layer.summary() for layer in statistics.values()]


def _answers(model, x, depth) -> dict[int, np.ndarray]:
    """Activations (examples, units) of the middle and of the next to last layer."""
    names = {depth // 2: f"hidden{depth // 2}_act", depth - 1: f"hidden{depth - 1}_act"}
    taps = {"a": Tap("output", identity)}
    probe = Probe(model, taps, layers=list(names.values()), training=False)
    activations = probe(x[:1000])["a"]
    return {i: activations[name].astype("float64") for i, name in names.items()}


def _of(rows, key) -> dict[str, np.ndarray]:
    """Net -> values, from the input on."""
    nets = dict.fromkeys(row["net"] for row in rows)
    return {net: np.array([row[key] for row in rows if row["net"] == net]) for net in nets}


def _curves(panel, curves, **axes):
    for name, values in curves.items():
        panel.plot(range(1, len(values) + 1), values, label=name)
    panel.set(xlabel="layer", **axes)


def _mean(rows, about):
    figure, ((panel,),) = common.axes(1, width=6)
    shares = _of(rows, "normalized")
    _curves(panel, shares, ylabel="mean |activation| / largest", yscale="log")
    panel.legend(fontsize=8)
    at20 = {name: share[min(20, len(share)) - 1] for name, share in shares.items()}
    least = shares["proposed"].min()
    common.save(
        "activations_mean",
        figure,
        rows,
        paper=PAPER + "figure 3 (USPS)",
        claim="Mean activations of a naive net and of one with BN fall with depth, considerably "
        "within 20 layers; those of the proposed net stay.",
        verdict="Mean absolute activation of the last layer over that of the largest: "
        + ", ".join(f"{name} {share[-1]:.2g}" for name, share in shares.items())
        + f". Layer 20: naive {at20['naive']:.2g}, BN {at20['BN']:.2g}; the least of any layer of "
        f"the proposed net: {least:.2g}. Seen is a fall below a tenth, and none.",
        seen=max(at20["naive"], at20["BN"]) < 0.1 < least,
        **about,
    )


def _maximum(rows, about):
    figure, ((panel,),) = common.axes(1, width=6)
    curves = _of(rows, "max")
    _curves(panel, curves, ylabel="max |activation|", yscale="log")
    panel.legend(fontsize=8)
    largest = {name: values.max() for name, values in curves.items()}
    naive, bn, proposed = (largest[name] for name in maxnorm_nets.NAMES)
    common.save(
        "activations_maximum",
        figure,
        rows,
        paper=PAPER + "figure 4 (USPS)",
        claim="The largest activations of the naive net lie within 0 to 10, with BN they reach "
        "1e6, those of the proposed net lie between.",
        verdict="Largest absolute activation of any layer: "
        + ", ".join(f"{name} {value:.3g}" for name, value in largest.items())
        + f". The proposed net's is {proposed / naive:.2g} times the naive one's, of one run each: "
        "an order is one of a factor of two. BN's is within a factor of ten of the paper's.",
        seen=naive <= 10 and 2 * naive < proposed and 2 * proposed < bn and 1e5 < bn < 1e7,
        **about,
    )


def _above(rows, about):
    figure, (panels,) = common.axes(2)
    for panel, t in zip(panels, ("0.05", "5"), strict=True):
        shares = {name: 100 * share for name, share in _of(rows, f"above {t}").items()}
        _curves(panel, shares, ylabel=f"% of |activations| above {t}")
    panels[0].legend(fontsize=8)
    small, large = _of(rows, "above 0.05"), _of(rows, "above 50")
    naive, least, most = small["naive"], small["proposed"].min(), large["proposed"].max()
    common.save(
        "activations_above",
        figure,
        rows,
        paper=PAPER + "figure A1",
        claim="Fewer and fewer activations of the naive net exceed 0.05 from layer 20 on; all of "
        "the proposed net's lie between 0.05 and 50.",
        verdict=f"Above 0.05 in the naive net: {naive[0]:.0%} of layer 1, "
        f"{naive[min(20, len(naive)) - 1]:.0%} of layer 20, {naive[-1]:.0%} of the last; in the "
        f"proposed net at least {least:.0%} of any layer, and at most {most:.2%} above 50.",
        seen=naive[-1] < naive[min(20, len(naive)) - 1] < naive[0] and least > 0.95 and most == 0,
        **about,
    )


def _responses(rows, answers, about):
    figure = None  # of a table alone there is nothing to draw: the picture stays
    if answers is not None:
        figure, panels = common.axes(3, 2, width=3, height=2.6)
        for panel, ((name, i), a) in zip(panels.T.flat, answers.items(), strict=True):
            panel.grid(False)
            shown = panel.imshow(a[:80, :80].T, aspect="auto", interpolation="nearest")
            figure.colorbar(shown, ax=panel)
            panel.set_title(f"{name}, layer {i}", fontsize=9)
        figure.supxlabel("example", fontsize=9)
        figure.supylabel("unit", fontsize=9)
    cosines = {(row["net"], row["layer"]): row["cosine"] for row in rows}
    alike = {key: value > 0.9 for key, value in cosines.items() if key[0] != "proposed"}
    common.save(
        "activations_responses",
        figure,
        rows,
        paper=PAPER + "figure 8 (USPS)",
        claim="Deep units of the naive net and of the net with BN give similar answers to all "
        "examples, those of the proposed net do not.",
        verdict="Mean cosine between the answers to two examples: "
        + ", ".join(f"{net} {value:.3f} (layer {i})" for (net, i), value in cosines.items())
        + f". Above 0.9 in {sum(alike.values())} of {len(alike)} layers without the remedies.",
        seen=all(alike.values())
        and all(value < 0.5 for (net, _), value in cosines.items() if net == "proposed"),
        **about,
    )


if __name__ == "__main__":
    main()
