"""The last dense layer of residual nets, by depth, and with a batch normalization before it.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
section 5, figures 6 and 7.

    python -m examples.figures.conditioning_last_layer --data-dir DATA

Theirs: CIFAR-10 at depths 56 to 1202, whole trainings of 16 filters. Here, for two CPU cores:
depths 20, 56 and 110 of 8 filters, 16x16 pixels, 24 steps of 64 at rate 0.1 (seed 0): the rise of
the first steps, not what follows; some three minutes. Classifier and last BN start as in their
program, from U(-1/sqrt(n), 1/sqrt(n)) for n inputs and U(0, 1).
"""

import itertools
import json

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.small_resnet import small_resnet
from zoo.signals.last_layer import last_layer_analysis
from zoo.signals.linear import LinearSignals

NAME, START = "conditioning_last_layer", "fan_in_uniform"
NETS = {
    "ResNet-20": (20, False),
    "ResNet-56": (56, False),
    "ResNet-110": (110, False),
    "ResNet-110 LastBN": (110, True),
}
STEPS, BATCH, COUNT, JUDGED = (0, 1, 2, 4, 8, 16, 24), 64, 4096, 256
KEYS = {
    "loss": "training loss",
    "input_lambda_max": "lambda_max of the input",
    "gradient_lambda_max": "lambda_max of the weight gradient",
    "weight_norm": "norm of the weight",
}


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    if options.judge:
        budget = json.loads((options.to / f"{NAME}.json").read_text())["budget"]
        _save(options, common.table(NAME, options), budget)
        return
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, COUNT)
    x = x.reshape(len(x), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    rows = []
    for name, (depth, last_bn) in NETS.items():
        if options.quick:
            depth = 8
        keras.utils.set_random_seed(0)
        model = small_resnet(
            depth,
            input_shape=(16, 16, 3),
            width=8,
            last_bn=last_bn,
            head_initializer=START,
            head_gamma="uniform" if last_bn else "ones",
        )
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        head = model.get_layer("head_dense")
        signals = LinearSignals(model, layers=[head])
        loss, steps = float(np.log(10)), STEPS[:3] if options.quick else STEPS
        for before, now in zip((0, *steps), steps, strict=False):
            if now > before:
                loss = common.train(model, x, y, steps=now - before, batch=BATCH)
            last = last_layer_analysis(signals, [(x[:JUDGED], y[:JUDGED])])
            numbers = {key: getattr(last, key) for key in KEYS if key != "loss"}
            rows.append({"net": name, "start": START, "step": now, "loss": loss} | numbers)
    budget = (
        f"{len(x)} training images of CIFAR-10 at 16x16 pixels, 8 filters, {steps[-1]} steps of "
        f"{BATCH} at rate 0.1"
    )
    _save(options, rows, budget)


def _save(options, rows, budget):
    figure, (panels,) = common.axes(4, width=3.4)
    for panel, (key, title) in zip(panels, KEYS.items(), strict=True):
        for name in NETS:
            curve = [(r["step"] + 1, r[key]) for r in rows if r["net"] == name]
            panel.plot(*np.transpose(curve), label=name)
        panel.set(title=title, xlabel="step + 1", xscale="log", yscale="log")
    panels[0].legend(fontsize=7)

    def at(name, key, function=max):
        return function(r[key] for r in rows if r["net"] == name)

    start = {name: next(r["input_lambda_max"] for r in rows if r["net"] == name) for name in NETS}
    loss = {name: at(name, "loss") for name in NETS}
    weight = {name: at(name, "weight_norm") for name in NETS}
    plain = list(NETS)[:3]
    rising = all(start[a] < start[b] for a, b in itertools.pairwise(plain))
    held = "ResNet-110 LastBN"
    seen: bool | None = (
        rising
        and start[held] < start[plain[-1]]
        and weight[held] < weight[plain[-1]]
        and loss[held] < loss[plain[-1]]
        and loss[plain[0]] < loss[plain[-1]]
    )
    verdict = (
        "lambda_max of the input at step 0, largest loss and largest weight norm: "
        + "; ".join(f"{n} {start[n]:.2g}, {loss[n]:.2g}, {weight[n]:.2g}" for n in NETS)
    )
    if any(row.get("start") != START for row in rows):
        seen = None
        verdict += "; from a classifier that started Glorot-uniform, and not measured again"
    common.save(
        NAME,
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        "of DNNs”, figures 6 and 7",
        claim="The deeper the residual net, the larger the input of its last layer, the weight "
        "that follows and the loss of the first steps; a BN before the layer prevents all three.",
        verdict=f"{verdict}.",
        seen=seen,
        budget=budget,
        command="python -m examples.figures.conditioning_last_layer --data-dir DATA",
        to=options.to,
        judged=options.judge,
    )


if __name__ == "__main__":
    main()
