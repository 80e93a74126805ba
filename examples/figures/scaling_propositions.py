"""What blocks do to variances: every proposition of the theory of exploding gradients, measured.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", propositions 3.4, 3.8, 3.12, 3.14,
3.17 and 4.1, and the max pooling of appendix C.1.

    python -m examples.figures.scaling_propositions

Width 256, 4096 normal inputs and errors (128 for batch normalization), one start of the weights,
seeds fixed; seconds.
"""

import keras
import numpy as np
from keras import layers, ops

import zoo
from examples.figures import common
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.ratios import measured_ratios
from zoo.signals.theory.ratios import Ratios, linear_ratios, pair_ratios

D = 256


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256 if options.quick else 4096, D))
    # proposition, block, predicted, measured
    found = [
        ("3.4", f"dense {D} to {units}", linear_ratios(dense.kernel), ratios)
        for units, dense, ratios in _dense(x)
    ]
    batch = 3 * x[:128]
    one = 1 / batch.var(axis=0).mean()
    norm = layers.BatchNormalization(epsilon=1e-8)
    found.append(
        ("3.8", "batch norm", Ratios(one, one * (1 - 1 / 128)), measured_ratios(norm, batch))
    )
    for name in ("selu", "tanh", "relu"):
        found.append(("3.12", name, activation_ratios(name), _measured(name, x)))
    exact, printed = [], []
    for name, values in _symmetric(x.shape).items():
        ratios = _measured("relu", values)
        mean = np.abs(values).mean()
        exact.append(abs(ratios.forward / (1 / 2 - mean**2 / 4) - 1) < 0.02)
        printed.append(ratios.forward <= ratios.backward - mean / 4)
        found.append(("3.14", f"relu of {name} x", Ratios(1 / 2 - mean**2 / 4, 1 / 2), ratios))
    branch = keras.Sequential(
        [
            keras.Input((D,)),
            _kernel(D, 1),
            layers.ReLU(),
            _kernel(D, 2),
        ]
    )
    inner = measured_ratios(branch, x)
    for blocks in (1, 16):
        whole = measured_ratios(lambda x, n=blocks: x + ops.multiply(n**-0.5, branch(x)), x)
        predicted = Ratios(1 + inner.forward / blocks, 1 + inner.backward / blocks)
        found.append(("3.17", f"x + F(x) / sqrt({blocks})", predicted, whole))
    for k in (2, 4):
        for tied in (True, False):
            name = f"pair, k = {k}, {'tied' if tied else 'independent'}"
            measured = measured_ratios(_pair(k, tied), x)
            found.append(("4.1", name, pair_ratios(k, tied), measured))
    fours = x.reshape(len(x), -1, 4)
    pool = measured_ratios(lambda x: ops.max(x, axis=-1), fours)
    found.append(("C.1", "max of 4", Ratios(0.492, 0.25), pool))

    rows = [
        {
            "proposition": proposition,
            "block": block,
            "ratio": side,
            "predicted": getattr(predicted, side),
            "measured": getattr(measured, side),
            "deviation": getattr(measured, side) / getattr(predicted, side) - 1,
        }
        for proposition, block, predicted, measured in found
        for side in ("forward", "backward")
    ]
    figure, ((panel,),) = common.axes(1, width=5.5, height=4)
    for proposition in dict.fromkeys(row["proposition"] for row in rows):
        points = [(r["predicted"], r["measured"]) for r in rows if r["proposition"] == proposition]
        panel.loglog(*zip(*points, strict=True), "o", alpha=0.7, label=proposition)
    ends = [min(r["predicted"] for r in rows), max(r["predicted"] for r in rows)]
    panel.loglog(ends, ends, ":", color="black")
    panel.set(xlabel="predicted ratio", ylabel="measured ratio")
    panel.legend(fontsize="small", title="proposition")
    worst = max(rows, key=lambda row: abs(row["deviation"]))
    text = (
        f"{len(rows)} ratios of {len(found)} blocks, the largest deviation "
        f"{abs(worst['deviation']):.1%} ({worst['ratio']}, {worst['block']}). Proposition 3.14 "
        f"holds with E|x|^2 / 4 for {sum(exact)} of {len(exact)} distributions, as printed with "
        f"E|x| / 4 for {sum(printed)}."
    )
    common.save(
        "scaling_propositions",
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, propositions 3.4 to "
        "4.1 and appendix C.1",
        claim="The ratios of variances, forward and backward, of linear layers, normalizations, "
        "activations, residual blocks and pairs are the predicted ones.",
        verdict=text,
        seen=abs(worst["deviation"]) < 0.1,
        budget=f"{len(x)} normal inputs, width {D}, no training.",
        command="python -m examples.figures.scaling_propositions"
        + (" --quick" if options.quick else ""),
        to=options.to,
    )


def _kernel(units: int, seed: int, gain: float = 2.0) -> keras.Layer:
    """Dense layer with entries N(0, gain / outputs)."""
    start = keras.initializers.RandomNormal(stddev=(gain / units) ** 0.5, seed=seed)
    return layers.Dense(units, use_bias=False, kernel_initializer=start)


def _dense(x):
    for units in (128, 512):
        dense = _kernel(units, seed=units)
        yield units, dense, measured_ratios(dense, x)


def _measured(activation: str, x) -> Ratios:
    return measured_ratios(layers.Activation(activation), x)


def _symmetric(shape) -> dict[str, np.ndarray]:
    """Symmetric inputs of variance 1."""
    rng = np.random.default_rng(1)
    return {
        "normal": rng.standard_normal(shape),
        "uniform": rng.uniform(-(3**0.5), 3**0.5, shape),
        "Laplace": rng.laplace(scale=0.5**0.5, size=shape),
    }


def _pair(k: int, tied: bool) -> keras.Layer:
    if tied:
        return zoo.layers.SeqDensePair(expansion=k, tied=True, norm=False, seed=0)
    # Both kernels N(0, 2 / D), D hidden units.
    first, second = _kernel(k * D, seed=1), _kernel(D, seed=2, gain=2 / k)
    return keras.Sequential([keras.Input((D,)), first, layers.ReLU(), second])


if __name__ == "__main__":
    main()
