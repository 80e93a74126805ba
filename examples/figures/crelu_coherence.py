"""Coherence of the filters of NormProp2 residual nets: the theory of NormProp wants it near 0.

Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified Linear
Units", definition 2 and figure 3, left.

    python -m examples.figures.crelu_coherence --data-dir DATA

Theirs: 34 layers, trained on ImageNet. Here: 32 layers on 16x16 pixels of CIFAR-10, before and
after 40 steps of 64 images (seed 0; a minute or two). Trained longer, for comparison: the shipped
plain nets of 44 layers, with filters held orthonormal and without.
"""

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.residual import small_resnet
from zoo.signals.theory.correlation import coherence

BATCH, RATE = 64, 0.1


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, 10_000)
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
    depth, steps = (8, 2) if options.quick else (32, 40)
    found, losses = {}, []
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
        found[act, "at initialization"] = _coherences(model)
        optimizer = keras.optimizers.SGD(RATE, momentum=0.9)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss)
        losses.append(common.train(model, x, y, steps=steps, batch=BATCH))
        found[act, "trained"] = _coherences(model)
    if not options.quick:
        found["plain", "orthonormal"] = _coherences(zoo.load("plainnet44.cifar10"))
        found["plain", "L2"] = _coherences(zoo.load("plainnet44.cifar10_l2"))

    figure, ((panel,),) = common.axes(1, width=6)
    rows = []
    for (act, when), values in found.items():
        style = "--" if when == "at initialization" else "-"
        panel.plot(range(1, len(values) + 1), values, style, label=f"{act}, {when}")
        rows += [
            {"net": act, "when": when, "layer": i, "coherence": v}
            for i, v in enumerate(values, start=1)
        ]
    panel.set(xlabel="convolution", ylabel="coherence", ylim=(0, 1))
    panel.legend(fontsize=8)
    risen = [
        np.mean(found[act, "trained"]) / np.mean(found[act, "at initialization"])
        for act in ("ReLU", "CReLU")
    ]
    common.save(
        "crelu_coherence",
        figure,
        rows,
        paper="Shang et al., “Exploring Normalization in Deep Residual Networks with Concatenated "
        "Rectified Linear Units”, figure 3 (left)",
        claim="Neither with ReLU nor with CReLU have the convolutions of a NormProp ResNet low "
        "coherence, which NormProp's theory assumes.",
        verdict="Mean coherence (least of any layer): "
        + ", ".join(
            f"{act} {when} {np.mean(values):.2f} ({min(values):.2f})"
            for (act, when), values in found.items()
        )
        + ". Being the largest of many, it is not near 0 for random filters either; training here "
        f"makes it {' and '.join(f'{r:.2f}' for r in risen)} times as large.",
        # What random filters have, too, would tell nothing of the trained nets.
        seen=min(risen) > 1.2,
        budget=f"{depth} layers, {steps} steps of {BATCH} images of CIFAR-10 at 16x16 pixels (mean "
        f"loss {losses[0]:.2f} and {losses[1]:.2f}); theirs: 34 layers trained on ImageNet",
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
