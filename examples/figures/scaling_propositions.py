"""What blocks do to variances: every proposition of the theory of exploding gradients, measured.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", propositions 3.4, 3.8, 3.12, 3.14,
3.17 and 4.1, and the max pooling of appendix C.1.

    python -m examples.figures.scaling_propositions

Width 256, 4096 normal inputs and errors, one start of the weights, seeds fixed; seconds. Batch
normalization takes batches of 128 and 16384 features, each judged by itself, as the proposition is
about one.
"""

import keras
import numpy as np
from keras import layers, ops

import zoo
from examples.figures import common
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.ratios import channel_ratios, measured_ratios
from zoo.signals.theory.ratios import Ratios, linear_ratios, pair_ratios

D = 256
# Of batch normalization: E z of so many features is known to 1%.
BATCH, FEATURES = 128, 16384


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256 if options.quick else 4096, D))
    # proposition, block, predicted, measured
    blocks = [
        ("3.4", f"dense {D} to {units}", linear_ratios(dense.kernel), ratios)
        for units, dense, ratios in _dense(x)
    ]
    z, norm = _batch_norm(rng, 256 if options.quick else FEATURES)
    # Of each feature by itself: R_f var, and R_b var.
    blocks.append(("3.8", "batch norm", Ratios(1, 1 - 1 / BATCH), norm))
    for name in ("selu", "tanh", "relu"):
        blocks.append(("3.12", name, activation_ratios(name), _measured(name, x)))
    exact, printed = [], []
    for name, values in _symmetric(x.shape).items():
        ratios = _measured("relu", values)
        mean = np.abs(values).mean()
        exact.append(abs(ratios.forward / (1 / 2 - mean**2 / 4) - 1) < 0.02)
        printed.append(ratios.forward <= ratios.backward - mean / 4)
        blocks.append(("3.14", f"relu of {name} x", Ratios(1 / 2 - mean**2 / 4, 1 / 2), ratios))
    branch = keras.Sequential(
        [
            keras.Input((D,)),
            _kernel(D, 1),
            layers.ReLU(),
            _kernel(D, 2),
        ]
    )
    inner = measured_ratios(branch, x)
    for n in (1, 16):
        whole = measured_ratios(lambda x, n=n: x + ops.multiply(n**-0.5, branch(x)), x)
        predicted = Ratios(1 + inner.forward / n, 1 + inner.backward / n)
        blocks.append(("3.17", f"x + F(x) / sqrt({n})", predicted, whole))
    for k in (2, 4):
        for tied in (True, False):
            name = f"pair, k = {k}, {'tied' if tied else 'independent'}"
            measured = measured_ratios(_pair(k, tied), x)
            blocks.append(("4.1", name, pair_ratios(k, tied), measured))
    fours = x.reshape(len(x), -1, 4)
    pool = measured_ratios(lambda x: ops.max(x, axis=-1), fours)
    blocks.append(("C.1", "max of 4", Ratios(0.492, 0.25), pool))

    rows = [
        {
            "proposition": proposition,
            "block": block,
            "ratio": side,
            "predicted": getattr(predicted, side),
            "measured": getattr(measured, side),
            "deviation": getattr(measured, side) / getattr(predicted, side) - 1,
        }
        for proposition, block, predicted, measured in blocks
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
    shift = norm.backward / norm.forward - 1
    text = (
        f"{len(rows)} ratios of {len(blocks)} blocks, the largest deviation "
        f"{abs(worst['deviation']):.1%} ({worst['ratio']}, {worst['block']}). Proposition 3.8, of "
        f"{len(z)} features by themselves: backward over forward is 1 - {-shift * BATCH:.3f} / B, "
        f"B = {BATCH}, with E z = {z.mean():.3f} and Var z = {z.var():.3f}. Proposition 3.14 holds "
        f"with (E|x|)^2 / 4 for {sum(exact)} of {len(exact)} distributions, as printed with "
        f"E|x| / 4 for {sum(printed)}."
    )
    rows += [
        {
            "proposition": "3.8",
            "block": "batch norm",
            "ratio": name,
            "predicted": expected,
            "measured": value,
            "deviation": value / expected - 1,
        }
        for name, expected, value in (("E z", 1.0, z.mean()), ("Var z", 2.0, z.var()))
    ]
    common.save(
        "scaling_propositions",
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, propositions 3.4 to "
        "4.1 and appendix C.1",
        claim="The ratios of variances, forward and backward, of linear layers, normalizations, "
        "activations, residual blocks and pairs are the predicted ones.",
        verdict=text,
        # Of batch normalization a tenth of the effect, which is itself a hundredth.
        seen=abs(worst["deviation"]) < 0.03
        and abs(-shift * BATCH - 1) < 0.1
        and abs(z.var() / 2 - 1) < 0.1
        and all(exact),
        budget=f"{len(x)} normal inputs, width {D}; batch norm: {len(z)} features of {BATCH}; no "
        "training.",
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


def _batch_norm(rng, features: int) -> tuple[np.ndarray, Ratios]:
    """z of every feature, and the means over the features of R_f var and R_b var."""
    x, errors = 3 * rng.standard_normal((BATCH, features)), rng.standard_normal((BATCH, features))
    ratios = channel_ratios(layers.BatchNormalization(epsilon=1e-8), x, errors)
    z = BATCH * (1 - ratios.backward / ratios.forward)
    variance = x.var(axis=0)
    means = (float(np.mean(r * variance)) for r in (ratios.forward, ratios.backward))
    return z, Ratios(*means)


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
