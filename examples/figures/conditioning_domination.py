"""What layers dominated by their weights cost: five layers, some of which do not move.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
figure 4: batch normalized layers of 256 units; weight domination is simulated by blocking the
updates of a layer's weights. "0" in a name is a blocked layer, the first digit the first layer.

    python -m examples.figures.conditioning_domination --data-dir DATA

Theirs: MNIST, full gradient descent. Here: the first 10,000 images, 120 steps of 256 at rate 0.1
(seed 0); some two minutes.
"""

import dataclasses

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.mlp import mlp

MNIST = dataclasses.replace(zoo.preprocessing.USPS, size=(28, 28), resize=28)
COUNT, BATCH, STEPS, EVERY = 10_000, 256, 120, 10
BLOCKED = ("11111", "01111", "00111", "00011", "00001")


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    x, y = common.images("mnist", "train", options, MNIST, COUNT)
    rows = []
    for name in BLOCKED:
        keras.utils.set_random_seed(0)
        units = 16 if options.quick else 256
        model = mlp(4, input_shape=(28, 28, 1), units=units, initializer="he_normal")
        dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
        for layer, digit in zip(dense, name, strict=True):
            layer.trainable = digit == "1"
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        for step in range(EVERY, (2 * EVERY if options.quick else STEPS) + 1, EVERY):
            loss = common.train(model, x, y, steps=EVERY, batch=min(BATCH, len(x)))
            rows.append({"moving": name, "step": step, "loss": loss})
    figure, ((panel,),) = common.axes(1, width=6)
    for name in BLOCKED:
        curve = [(r["step"], r["loss"]) for r in rows if r["moving"] == name]
        panel.plot(*np.transpose(curve), label=name)
    panel.set(xlabel="step", ylabel="training loss", yscale="log")
    panel.legend(fontsize=8, title="0: weights blocked")
    first = {name: next(r["loss"] for r in rows if r["moving"] == name) for name in BLOCKED}
    last = {r["moving"]: r["loss"] for r in rows}
    common.save(
        "conditioning_domination",
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        "of DNNs”, figure 4",
        claim="With weight domination in some layers the loss still falls, but ends higher.",
        verdict="Training loss after "
        + f"{rows[-1]['step']} steps: "
        + ", ".join(f"{name} {last[name]:.3f}" for name in BLOCKED)
        + ".",
        seen=all(last[name] < first[name] for name in BLOCKED)
        and all(last[name] > last["11111"] for name in BLOCKED[1:]),
        budget=f"{len(x)} training images of MNIST, {rows[-1]['step']} steps of {BATCH}, rate 0.1",
        command="python -m examples.figures.conditioning_domination --data-dir DATA",
        to=options.to,
    )


if __name__ == "__main__":
    main()
