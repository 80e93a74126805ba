"""Second moments of the errors along the depth of plain nets: at the start, modulated, trained.

Xie et al., "All You Need is Beyond a Good Init", figures 3 and 4.

    python -m examples.figures.modulation_moments --data-dir DATA

Theirs: 44 layers over the whole training on CIFAR-10. Here, on 32 images of CIFAR-10: nets of 20 to
110 layers at the start, without and with modulation; the two shipped checkpoints of 44 layers,
which are the end of such trainings (30 epochs, 11,700 iterations); and the first 60 iterations of
both methods at half the width on 16x16 pixels (seed 0; three to four minutes in all).

The error of a layer is that at its output, which is what the paper calls its input error.
"""

import keras

import zoo
from examples.figures import common
from zoo.models.plainnet import plainnet
from zoo.signals import Probe, Tap, mean_square
from zoo.signals.profile import error_moments
from zoo.signals.theory.depth import growth_per_layer, moment_ratios

HE = {"initializer": "he_normal", "orthonormal": 0.0, "weight_decay": 1e-4}
METHODS = {
    "orthonormality": ("plainnet44.cifar10", {}),
    "He + L2": ("plainnet44.cifar10_l2", HE),
}
BATCH = 64


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    quick = options.quick
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, 2000)
    few, labels = x[:32], y[:32]
    depths = (8, 14) if quick else (20, 44, 110)
    at_start = {}
    for depth in depths:
        for modulation in (False, True):
            keras.utils.set_random_seed(0)
            model = plainnet(depth, modulation=modulation)
            if modulation:
                source = model.get_layer("modulation")
                source.steps_left.assign(1)
                source.band.assign(1.1)
            at_start[depth, modulation] = _ratios(model, few, labels)
    trained = (
        {}
        if quick
        else {
            method: _ratios(zoo.load(checkpoint), few, labels)
            for method, (checkpoint, _) in METHODS.items()
        }
    )
    marks = [0, 1, 2] if quick else [0, 1, 2, 5, 10, 20, 40, 60]
    early = {m: _early(start, x, y, marks, quick) for m, (_, start) in METHODS.items()}
    _write(options, at_start, trained, early)


def _ratios(model, x, y) -> dict[str, float]:
    return moment_ratios(error_moments(model, x, y, layers=_convolutions(model)))


def _convolutions(model) -> list[str]:
    return [v.name for v in model.layers if v.name.endswith("_conv")]


def _early(start, x, y, marks, quick) -> dict[int, float]:
    """Iteration -> first over last, while training."""
    keras.utils.set_random_seed(0)
    x = x[:, ::2, ::2]
    model = plainnet(8 if quick else 44, input_shape=x.shape[1:], width=8, **start)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    probe = Probe(model, {"q": Tap("output_gradient", mean_square)}, layers=_convolutions(model))
    ratios, done = {}, 0
    for mark in marks:
        if mark > done:
            common.train(model, x, y, steps=mark - done, batch=BATCH)
            done = mark
        q = probe(x[:BATCH], y[:BATCH])["q"]
        ratios[mark] = next(iter(moment_ratios(q).values()))
    return ratios


def _write(options, at_start, trained, early) -> None:
    figure, (panels,) = common.axes(3, width=4)
    rows = []
    for (depth, modulation), ratios in at_start.items():
        style, word = ("--", ", modulated") if modulation else ("-", "")
        color = f"C{[d for d, m in at_start if not m].index(depth)}"
        panels[0].semilogy(ratios.values(), style, color=color, label=f"{depth} layers{word}")
        rows += _rows(f"{depth} layers{word}", "start", ratios)
    for method, ratios in trained.items():
        panels[1].semilogy(ratios.values(), label=f"{method}, trained")
        rows += _rows(f"44 layers, {method}", "trained", ratios)
    for method, values in early.items():
        panels[2].semilogy(list(values), list(values.values()), ".-", label=method)
        rows += [
            {"net": f"half width, {method}", "when": f"iteration {i}", "layer": "first", "ratio": v}
            for i, v in values.items()
        ]
    for panel in panels[:2]:
        panel.set(xlabel="layer", ylabel="q of the layer / q of the highest")
    panels[2].set(xlabel="iteration", ylabel="q of the first / q of the last")
    for panel in panels:
        if panel.lines:
            panel.legend(fontsize="small")
        panel.axhline(1, color="black", linewidth=0.5)
    first = {key: next(iter(ratios.values())) for key, ratios in at_start.items()}
    deepest = max(depth for depth, _ in first)
    plain = at_start[deepest, False]
    rate = growth_per_layer({name: q**0.5 for name, q in plain.items()})
    ends = {m: next(iter(ratios.values())) for m, ratios in trained.items()}
    text = (
        "First over last at the start: "
        + ", ".join(f"{first[d, False]:.2g} at {d} layers" for d, m in first if not m)
        + f" ({rate:.2f} times per layer in the norm); with modulation {first[deepest, True]:.2g} "
        f"at {deepest}. Trained: " + ", ".join(f"{v:.2g} with {m}" for m, v in ends.items()) + "."
    )
    common.save(
        "modulation_moments",
        figure,
        rows,
        paper="Xie et al., “All You Need is Beyond a Good Init”, figures 3 and 4",
        claim="Errors are amplified at the start and vanish in training (ratio below 1), where "
        "orthonormality holds them an order of magnitude higher than L2; modulation keeps them "
        "level.",
        verdict=text,
        seen=first[deepest, False] > 1
        and all(0.1 < v < 10 for (_, modulated), v in first.items() if modulated)
        and bool(ends)
        and all(v < 1 for v in ends.values())
        and ends["orthonormality"] > 5 * ends["He + L2"],
        budget="32 images of CIFAR-10; two checkpoints of 30 epochs; 60 iterations at half the "
        "width on 16x16 pixels (paper: 164 epochs, full width).",
        command="python -m examples.figures.modulation_moments --data-dir DATA"
        + (" --quick" if options.quick else ""),
        to=options.to,
    )


def _rows(net: str, when: str, ratios) -> list[dict]:
    return [{"net": net, "when": when, "layer": k, "ratio": v} for k, v in ratios.items()]


if __name__ == "__main__":
    main()
