"""Activations of 100 plain layers: without help, with batch norm, and with all three remedies.

Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip Connections",
figures 2 to 4, 6 to 8 and A1.

    python -m examples.figures.activations_maxnorm --data-dir DATA [--runs RUNS]

Their figures are of COIL-20 and USPS, these of the USPS training set. `maxnorm_nets` tells where
the nets come from. The shipped `maxnorm_plainnet50.cifar10` goes with them.
"""

from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common, maxnorm_nets
from zoo.signals.activations import activation_statistics
from zoo.signals.probe import Probe
from zoo.signals.taps import Tap, identity

PAPER = (
    "Oyedotun et al., “Revisiting the Training of Very Deep Neural Networks without Skip "
    "Connections”, "
)
COMMAND = "python -m examples.figures.activations_maxnorm --data-dir DATA --runs RUNS"
CONV = "proposed, 50 convolutions"


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of finished runs")
    options = parser.parse_args(argv)
    keras.utils.set_random_seed(0)
    x, y = common.images("usps", "train", options, zoo.preprocessing.USPS)
    depth, nets, short = maxnorm_nets.nets(options, x, y)

    found = {name: _statistics(model, x) for name, model in nets.items()}
    if not options.quick:
        model = zoo.load("maxnorm_plainnet50.cifar10")
        found[CONV] = _statistics(model, common.images("cifar10", "test", options, model, 500)[0])
    trained = ", ".join(
        f"{name} {maxnorm_nets.EPOCHS if name in short else 300}" for name in maxnorm_nets.NAMES
    )
    budget = f"{len(x)} training images of USPS; epochs of training: {trained}; theirs 300"
    if options.quick:
        budget = f"{depth} layers and {len(x)} random images"
    about = {"budget": budget, "command": COMMAND, "to": options.to}
    _mean(found, about)
    _maximum(found, about)
    _above(found, about)
    _responses({name: _answers(nets[name], x, depth) for name in maxnorm_nets.NAMES}, about)


def _statistics(model, x) -> list[dict[str, float]]:
    found = activation_statistics(model, np.array_split(x, -(-len(x) // 500)))
    return [statistics.summary() for statistics in found.values()]


def _mean(found, about):
    figure, ((left,),) = common.axes(1, width=6)
    rows, last, least, at20 = [], {}, {}, {}
    for name, layers in found.items():
        mean = np.array([layer["mean_absolute"] for layer in layers])
        share = mean / mean.max()
        left.plot(range(1, len(share) + 1), share, label=name)
        last[name], least[name] = share[-1], share.min()
        at20[name] = share[min(20, len(share)) - 1]
        rows += [
            {"net": name, "layer": i, "mean_absolute": m, "normalized": s}
            for i, (m, s) in enumerate(zip(mean, share, strict=True), start=1)
        ]
    left.set(xlabel="layer", ylabel="mean |activation| / largest", yscale="log")
    left.legend(fontsize=8)
    common.save(
        "activations_mean",
        figure,
        rows,
        paper=PAPER + "figures 2 and 3",
        claim="Mean activations of a naive net and of one with BN fall with depth, considerably "
        "within 20 layers; those of the proposed net stay.",
        verdict="Mean absolute activation of the last layer over that of the largest: "
        + ", ".join(f"{name} {last[name]:.2g}" for name in found)
        + f". Layer 20: naive {at20['naive']:.2g}, BN {at20['BN']:.2g}; the least of any layer of "
        f"the proposed net: {least['proposed']:.2g}. Seen is a fall below a tenth, and none.",
        seen=max(at20["naive"], at20["BN"]) < 0.1 < least["proposed"],
        **about,
    )


def _maximum(found, about):
    figure, ((left,),) = common.axes(1, width=6)
    rows, largest = [], {}
    for name, layers in found.items():
        values = [layer["max_absolute"] for layer in layers]
        left.plot(range(1, len(values) + 1), values, label=name)
        largest[name] = max(values)
        rows += [{"net": name, "layer": i, "max": v} for i, v in enumerate(values, start=1)]
    left.set(xlabel="layer", ylabel="max |activation|", yscale="log")
    left.legend(fontsize=8)
    naive, bn, proposed = (largest[name] for name in maxnorm_nets.NAMES)
    common.save(
        "activations_maximum",
        figure,
        rows,
        paper=PAPER + "figure 4",
        claim="The largest activations of the naive net lie within 0 to 10, with BN they reach "
        "1e6, those of the proposed net lie between.",
        verdict="Largest absolute activation of any layer: "
        + ", ".join(f"{name} {value:.3g}" for name, value in largest.items())
        + ". Seen is the paper's order, and its values within a factor of ten.",
        seen=naive < proposed < bn and naive < 100 and 1e5 < bn < 1e7,
        **about,
    )


def _above(found, about):
    figure, (panels,) = common.axes(2)
    rows = []
    for name, layers in found.items():
        for panel, t in zip(panels, (0.05, 5), strict=True):
            share = [100 * layer[f"above {t}"] for layer in layers]
            panel.plot(range(1, len(share) + 1), share, label=name)
            panel.set(xlabel="layer", ylabel=f"% of |activations| above {t}")
        rows += [
            {"net": name, "layer": i}
            | {key: value for key, value in layer.items() if key.startswith("above")}
            for i, layer in enumerate(layers, start=1)
        ]
    panels[0].legend(fontsize=8)
    naive = [layer["above 0.05"] for layer in found["naive"]]
    least = min(layer["above 0.05"] for layer in found["proposed"])
    most = max(layer["above 50"] for layer in found["proposed"])
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


def _answers(model, x, depth) -> dict[int, np.ndarray]:
    """Activations (examples, units) of the middle and of the next to last layer."""
    names = {depth // 2: f"hidden{depth // 2}_act", depth - 1: f"hidden{depth - 1}_act"}
    probe = Probe(
        model, {"a": Tap("output", identity)}, layers=list(names.values()), training=False
    )
    found = probe(x[:1000])["a"]
    return {i: found[name].astype("float64") for i, name in names.items()}


def _alike(a: np.ndarray) -> float:
    """Mean cosine between the answers to two different examples: 1 where all are the same."""
    norms = np.linalg.norm(a, axis=1, keepdims=True)
    a = a / np.where(norms == 0, 1, norms)
    n = len(a)
    return float((np.square(a.sum(axis=0)).sum() - n) / (n * (n - 1)))


def _responses(found, about):
    figure, panels = common.axes(3, 2, width=3, height=2.6)
    rows, alike = [], {}
    for column, (name, layers) in zip(panels.T, found.items(), strict=True):
        for panel, (i, a) in zip(column, layers.items(), strict=True):
            panel.grid(False)
            shown = panel.imshow(a[:80, :80].T, aspect="auto", interpolation="nearest")
            figure.colorbar(shown, ax=panel)
            panel.set_title(f"{name}, layer {i}", fontsize=9)
            spread = float(a.std(axis=0).mean() / np.abs(a).mean()) if a.any() else 0.0
            alike[name] = _alike(a)
            rows.append({"net": name, "layer": i, "cosine": alike[name], "spread": spread})
    figure.supxlabel("example", fontsize=9)
    figure.supylabel("unit", fontsize=9)
    common.save(
        "activations_responses",
        figure,
        rows,
        paper=PAPER + "figures 6 to 8",
        claim="Deep units of the naive net and of the net with BN give similar answers to all "
        "examples, those of the proposed net do not.",
        verdict=f"Mean cosine between the answers of layer {rows[-1]['layer']} to two examples: "
        + ", ".join(f"{name} {value:.3f}" for name, value in alike.items())
        + ".",
        seen=min(alike["naive"], alike["BN"]) > 0.9 and alike["proposed"] < 0.5,
        **about,
    )


if __name__ == "__main__":
    main()
