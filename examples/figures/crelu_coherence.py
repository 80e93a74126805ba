"""Coherence of the filters of NormProp2 residual nets: the theory of NormProp wants it near 0.

Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified Linear
Units", definition 2 and figure 3, left.

    python -m examples.figures.crelu_coherence --data-dir DATA

Theirs: 34 layers, trained on ImageNet. Here: 32 layers on 16x16 pixels of CIFAR-10, before and
after 200 steps of 64 images at rate 0.01 (seed 0; some five minutes; at rate 0.1 they do not
learn). Trained longer, for comparison: the shipped
plain nets of 44 layers, with filters held orthonormal and without.
"""

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.small_resnet import small_resnet
from zoo.signals.theory.correlation import coherence

NAME = "crelu_coherence"
BATCH, RATE, LAST = 64, 0.01, 20


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, 10_000)
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
    depth, steps = (8, 2) if options.quick else (32, 200)
    end = min(LAST, steps // 2)
    coherences, losses = {}, {}
    for act in ("ReLU", "CReLU"):
        keras.utils.set_random_seed(0)
        model = small_resnet(
            depth,
            norm="normprop2",
            nonlinearity=act.lower(),
            initializer="glorot_uniform",
            input_shape=x.shape[1:],
            activation=None,
        )
        coherences[act, "at initialization"] = _coherences(model)
        optimizer = keras.optimizers.SGD(RATE, momentum=0.9)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss)
        common.train(model, x, y, steps=steps - end, batch=BATCH)
        losses[act] = common.train(model, x, y, steps=end, batch=BATCH)
        coherences[act, "trained"] = _coherences(model)
    if not options.quick:
        coherences["plain", "orthonormal"] = _coherences(zoo.load("plainnet44.cifar10"))
        coherences["plain", "L2"] = _coherences(zoo.load("plainnet44.cifar10_l2"))

    figure, ((panel,),) = common.axes(1, width=6)
    rows = []
    for (act, when), values in coherences.items():
        style = "--" if when == "at initialization" else "-"
        panel.plot(range(1, len(values) + 1), values, style, label=f"{act}, {when}")
        rows += [
            {
                "net": act,
                "when": when,
                "loss": losses[act] if when == "trained" else float("nan"),
                "layer": i,
                "coherence": v,
            }
            for i, v in enumerate(values, start=1)
        ]
    panel.set(xlabel="convolution", ylabel="coherence", ylim=(0, 1))
    panel.legend(fontsize=8)
    risen = [
        np.mean(coherences[act, "trained"]) / np.mean(coherences[act, "at initialization"])
        for act in ("ReLU", "CReLU")
    ]
    common.save(
        NAME,
        figure,
        rows,
        paper="Shang et al., “Exploring Normalization in Deep Residual Networks with Concatenated "
        "Rectified Linear Units”, figure 3 (left)",
        claim="Neither with ReLU nor with CReLU have the convolutions of a NormProp ResNet low "
        "coherence, which NormProp's theory assumes.",
        verdict="Mean coherence (least of any layer): "
        + ", ".join(
            f"{act} {when} {np.mean(values):.2f} ({min(values):.2f})"
            for (act, when), values in coherences.items()
        )
        + ". Being the largest of many, it is not near 0 for random filters either; training here "
        f"makes it {' and '.join(f'{r:.2f}' for r in risen)} times as large.",
        # What random filters have, too, would tell nothing of the trained nets.
        seen=min(risen) > 1.2 if all(map(common.learned, losses.values())) else None,
        budget=f"{depth} layers, {steps} steps of {BATCH} images of CIFAR-10 at 16x16 pixels, rate "
        f"{RATE} (loss "
        f"of the last {end}: {losses['ReLU']:.2f} and {losses['CReLU']:.2f}; of guessing "
        f"{np.log(10):.2f}); theirs: 34 layers trained on ImageNet",
        command="python -m examples.figures.crelu_coherence --data-dir DATA",
        to=options.to,
    )


def _coherences(model) -> list[float]:
    return [
        coherence(layer.kernel)
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Conv2D)
    ]


if __name__ == "__main__":
    main()
