"""The first seven iterations of 100 batch normalized layers: explosion, then domination.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
appendix C.2 and figure A10: largest eigenvalue of each layer's Fisher matrix.

    python -m examples.figures.conditioning_explosion --data-dir DATA

(a) 100 dense layers of 256 units on MNIST, batches of 1024 of the first 10,000 images; (b) a plain
convolutional net of 110 layers on CIFAR-10, batches of 128, of which 32 images are looked at. Rates
and batches are not told in the paper; here the rate is 0.1 and the start LeCun's (a) or He's (b),
seed 0. Some ten minutes. Gradients of convolutions are those of each position, as in the authors'
program: N H W times those of the mean loss (see `zoo.signals.LinearSignals`).
"""

import dataclasses

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.mlp import mlp
from zoo.signals.conditioning import layer_conditioning
from zoo.signals.linear import LinearSignals
from zoo.signals.theory.matrices import spectral_norm
from zoo.signals.weights import map_kernels

MNIST = dataclasses.replace(zoo.preprocessing.USPS, size=(28, 28), resize=28)
ITERATIONS = 7


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--only", choices=("a", "b"), help="one of the two nets")
    options = parser.parse_args(argv)
    if options.only != "b":
        dense(options)
    if options.only != "a":
        convolutional(options)


def dense(options) -> None:
    """Figure A10 (a)."""
    x, y = common.images("mnist", "train", options, MNIST, 10_000)
    keras.utils.set_random_seed(0)
    depth, units = (12, 16) if options.quick else (100, 256)
    model = mlp(depth - 1, input_shape=(28, 28, 1), units=units, initializer="lecun_normal")
    rows = _measure(model, x, y, batch=1024, look=1024)
    budget = f"{len(x)} training images of MNIST, {depth} layers of {units} units, batch 1024"
    _save(options, rows, "conditioning_explosion", "A10 (a)", budget)


def convolutional(options) -> None:
    """Figure A10 (b)."""
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, 1024)
    keras.utils.set_random_seed(0)
    name, width = ("plainnet20", 4) if options.quick else ("plainnet110", 16)
    # Orthonormality would not let weights grow.
    plain = {"orthonormal": 0.0, "initializer": "he_normal"}
    model = zoo.create(name, num_classes=10, width=width, **plain)
    rows = _measure(model, x, y, batch=128, look=32)
    budget = f"{len(x)} training images of CIFAR-10, {name} of width {width}, batch 128"
    _save(options, rows, "conditioning_explosion_conv", "A10 (b)", budget)


def _measure(model, x, y, *, batch: int, look: int) -> list[dict]:
    """One row for each layer and iteration; of each batch, `look` images are looked at."""
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    signals, rows = LinearSignals(model, scale="positions"), []
    for iteration in range(ITERATIONS + 1):
        if iteration:
            common.train(model, x, y, steps=1, batch=min(batch, len(x)))
        conditioning = layer_conditioning(signals, [(x[:look], y[:look])], largest_only=True)
        norms = map_kernels(model, spectral_norm)
        rows += [
            {
                "iteration": iteration,
                "layer": i,
                "lambda_max": conditioning[name].fisher.lambda_max,
                "weight": norms[name],
            }
            for i, name in enumerate(conditioning, start=1)
        ]
    return rows


def _of(rows, key, iteration) -> np.ndarray:
    return np.array([r[key] for r in rows if r["iteration"] == iteration])


def _save(options, rows, name, which, budget):
    depth = max(row["layer"] for row in rows)
    figure, ((left, right),) = common.axes(2)
    for panel, key in ((left, "lambda_max"), (right, "weight")):
        for iteration in range(ITERATIONS + 1):
            values = _of(rows, key, iteration)
            panel.plot(range(1, depth + 1), values, label=f"iteration {iteration}")
        panel.set(xlabel="layer", yscale="log")
    left.set_title("lambda_max of the layer's Fisher matrix", fontsize=10)
    right.set_title("spectral norm of the weight", fontsize=10)
    left.legend(fontsize=7)

    before, after = _of(rows, "lambda_max", 0)[1:-1], _of(rows, "lambda_max", 1)[1:-1]
    growth = np.exp(-np.polyfit(np.arange(len(before)), np.log(before), 1)[0])
    weights = [_of(rows, "weight", i)[1] for i in (0, 1)]
    lower = slice(0, len(before) // 4)
    fall = np.median(after[lower] / before[lower])
    common.save(
        name,
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        f"of DNNs”, figure {which}",
        claim="At initialization gradients explode towards the lower layers; one step makes these "
        "layers' weights large, which makes their gradients small from then on.",
        verdict=f"lambda_max grows {growth:.3f}x per layer downward at iteration 0, "
        f"{before[0] / before[-1]:.2g}x in all. The first step takes the spectral norm of layer 2 "
        f"from {weights[0]:.2g} to {weights[1]:.2g}, and lambda_max of the lowest quarter to "
        f"{fall:.1g} of what it was.",
        seen=growth > 1.02 and weights[1] > 10 * weights[0] and fall < 0.1,
        budget=f"{budget}, rate 0.1",
        command="python -m examples.figures.conditioning_explosion --data-dir DATA",
        to=options.to,
    )


if __name__ == "__main__":
    main()
