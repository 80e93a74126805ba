"""Dying and full neurons of 20 dense layers on MNIST, with and without batch normalization.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
section 4.2 and figure A12: units never active, and units always active, over the training set.

    python -m examples.figures.activations_dying --data-dir DATA

Theirs: 60,000 images, batches of 1024, He initialization. Here: the first 20,000 images, which are
trained on and judged by, and 80 steps of SGD (seed 0) at rate 0.1 with BN and 0.002 without, where
0.02 diverges; a minute on two cores.
"""

import dataclasses

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.mlp import mlp
from zoo.signals.activations import activation_statistics

MNIST = dataclasses.replace(zoo.preprocessing.USPS, size=(28, 28), resize=28)
COUNT, BATCH = 20_000, 1024
STEPS = (0, 5, 20, 80)
RATES = {"plain": 0.002, "BN": 0.1}


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    x, y = common.images("mnist", "train", options, MNIST, COUNT)
    steps = STEPS[:2] if options.quick else STEPS
    rows = []
    for net, norm in (("plain", "none"), ("BN", "batchnorm")):
        keras.utils.set_random_seed(0)
        units = 32 if options.quick else 256
        model = mlp(19, input_shape=(28, 28, 1), norm=norm, units=units, activation=None)
        model.compile(
            keras.optimizers.SGD(RATES[net]),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        loss = float("nan")
        for before, now in zip((0, *steps), steps, strict=False):
            if now > before:
                loss = common.train(model, x, y, steps=now - before, batch=min(BATCH, len(x)))
            rows += _judged(model, x, net, now, loss)
    figure, panels = common.axes(2, 2, height=2.8)
    for line, net in zip(panels, ("plain", "BN"), strict=True):
        for panel, kind in zip(line, ("dying", "full"), strict=True):
            for step in steps:
                values = _of(rows, net, step, kind)
                panel.plot(range(1, len(values) + 1), values, label=f"step {step}")
            panel.set(title=f"{net}: {kind}", xlabel="layer", ylabel="units")
    panels[0, 0].legend(fontsize=8)
    _save(options, figure, rows, steps, len(x))


def _judged(model, x, net, step, loss):
    batches = [x[i : i + 1000] for i in range(0, len(x), 1000)]
    statistics = activation_statistics(model, batches, thresholds=(), training=True)
    return [
        {"net": net, "step": step, "layer": i, "dying": s["dying"], "full": s["full"], "loss": loss}
        for i, s in enumerate((s.summary() for s in statistics.values()), start=1)
    ]


def _of(rows, net, step, kind) -> np.ndarray:
    return np.array([r[kind] for r in rows if (r["net"], r["step"]) == (net, step)])


def _save(options, figure, rows, steps, count):
    plain = {k: {s: _of(rows, "plain", s, k) for s in steps} for k in ("dying", "full")}
    bn = sum(r["dying"] + r["full"] for r in rows if r["net"] == "BN")
    thirds = {k: [part.sum() for part in np.array_split(v[0], 3)] for k, v in plain.items()}
    totals = {k: (v[0].sum(), v[steps[-1]].sum()) for k, v in plain.items()}
    first, last = (sum(totals[k][i] for k in totals) for i in (0, 1))
    growing = all(0 < a[2] > a[0] for a in thirds.values())
    common.save(
        "activations_dying",
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        "of DNNs”, figure A12",
        claim="Without normalization some units are never or always active, (a) more the higher "
        "the layer, (b) most so in the first iterations; (c) with BN there are none.",
        verdict=f"Plain: {totals['dying'][0]} dying and {totals['full'][0]} full units at step 0 "
        f"({'–'.join(map(str, thirds['dying']))} and {'–'.join(map(str, thirds['full']))} in the "
        f"lower, middle and upper third), {totals['dying'][1]} and {totals['full'][1]} at step "
        f"{steps[-1]}; BN: {bn} at any step. (a) {_answer(growing)}, (b) {_answer(first > last)}, "
        f"(c) {_answer(bn == 0)}.",
        seen=growing and first > last and bn == 0,
        budget=f"{count} training images, {steps[-1]} steps of {BATCH}, rates {RATES['plain']} "
        f"(plain) and {RATES['BN']} (BN)",
        command="python -m examples.figures.activations_dying --data-dir DATA",
        to=options.to,
    )


def _answer(seen) -> str:
    return "seen" if seen else "not seen"


if __name__ == "__main__":
    main()
