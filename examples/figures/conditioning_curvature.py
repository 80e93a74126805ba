"""Full Fisher matrix, its blocks and their approximation, of eight dense layers.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
figures 1, 2 and A1: 24 units a layer, MNIST cropped and shrunk, at initialization.

    python -m examples.figures.conditioning_curvature --data-dir DATA [--full]

Theirs: 12x12 pixels; the number of images is not told. Here: 1000 training images (seed 0). The
eigenvalues of the 7152 x 7152 matrix take minutes, so the images are 6x6 unless `--full` is given;
that leaves 4560 weights, some two minutes. The paper's "random initialization" cites LeCun et al.;
here it is uniform within 1 / sqrt(fan-in), as the layers of Torch, its framework, start: with the
variance of 1 / fan-in instead, the plain net's largest eigenvalue is 0.7, further from their 1e-5.
"""

import dataclasses
import json

import keras
import numpy as np
from keras import ops

import zoo
from examples.figures import common
from zoo.models.mlp import mlp
from zoo.signals.conditioning import layer_conditioning
from zoo.signals.curvature import fisher

MNIST = dataclasses.replace(zoo.preprocessing.USPS, size=(28, 28), resize=28)
NAME, COUNT = "conditioning_curvature", 1000
P = (10, 20, 30, 40, 50, 60, 70, 80, 90)
NETS = {"plain": "none", "BN": "batchnorm"}


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--full", action="store_true", help="12x12 pixels, as in the paper")
    options = parser.parse_args(argv)
    if options.judge:
        about = json.loads((options.to / f"{NAME}.json").read_text())
        _save(options, common.table(NAME, options), about["budget"])
        return
    side = 12 if options.full else 6
    x, _ = common.images("mnist", "train", options, MNIST, COUNT)
    cut, by = x[:, 2:26, 2:26, :], 24 // side
    x = cut.reshape(len(x), side, by, side, by, 1).mean(axis=(2, 4))
    rows = []
    for net, norm in NETS.items():
        keras.utils.set_random_seed(0)
        model = mlp(
            4 if options.quick else 7,
            input_shape=x.shape[1:],
            units=8 if options.quick else 24,
            norm=norm,
            initializer="lecun_normal",
        )
        for kernel in model.trainable_variables:
            if len(kernel.shape) == 2:
                bound = kernel.shape[0] ** -0.5
                kernel.assign(keras.random.uniform(kernel.shape, -bound, bound))
        rows += _spectra(net, model, x)
    budget = f"{len(x)} training images of MNIST at {side}x{side} pixels, no training"
    _save(options, rows, budget)


def _spectra(net, model, x):
    curvature = fisher(model, x)
    # Proposition 1 with labels drawn from the model, as the Fisher matrix has them.
    outputs, _ = model.stateless_call(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        ops.convert_to_tensor(x),
        training=True,
    )
    chances = np.cumsum(ops.convert_to_numpy(outputs), axis=1)[:, :-1]
    labels = (np.random.default_rng(0).random((len(x), 1)) > chances).sum(axis=1)
    approximate = layer_conditioning(model, [(x, labels)])
    rows = _rows(net, "full", curvature.spectrum(), None)
    for i, layer in enumerate(curvature.sizes, start=1):
        rows += _rows(net, i, curvature.spectrum(layer), approximate[layer].fisher)
    return rows


def _rows(net, layer, exact, approximate):
    about = {"net": net, "layer": layer, "lambda_max": exact.lambda_max}
    about["lambda_max_approximate"] = approximate.lambda_max if approximate else np.nan
    return [
        about
        | {
            "p": p,
            "kappa_p": exact.kappa(p),
            "kappa_p_approximate": approximate.kappa(p) if approximate else np.nan,
        }
        for p in P
    ]


def _of(rows, key, net, layer) -> np.ndarray:
    return np.array([r[key] for r in rows if (r["net"], r["layer"]) == (net, layer)])


def _save(options, rows, budget):
    layers = list(dict.fromkeys(r["layer"] for r in rows if r["layer"] != "full"))
    shown = ("full", layers[2], layers[-3])
    figure, panels = common.axes(3, 2, width=3.8, height=2.8)
    for panel, layer in zip(panels[0], shown, strict=True):
        for color, net in enumerate(NETS):
            panel.plot(P, _of(rows, "kappa_p", net, layer), color=f"C{color}", label=net)
            approximate = _of(rows, "kappa_p_approximate", net, layer)
            panel.plot(P, approximate, "--", color=f"C{color}")
        panel.set(title=f"kappa_p, {layer if layer == 'full' else f'layer {layer}'}", yscale="log")
        panel.set(xlabel="p, % of the eigenvalues (dashed: proposition 1)")
    for panel, key, p in (
        (panels[1, 0], "lambda_max", P[0]),
        (panels[1, 1], "kappa_p", 50),
        (panels[1, 2], "kappa_p", 80),
    ):
        for color, net in enumerate(NETS):
            for line, name in (("-", key), ("--", f"{key}_approximate")):
                values = [_of(rows, name, net, i)[P.index(p)] for i in layers]
                panel.plot(layers, values, line, color=f"C{color}")
        panel.set(title=key if key == "lambda_max" else f"kappa_{p}", xlabel="layer", yscale="log")
    panels[0, 0].legend(fontsize=8)

    largest = {net: _of(rows, "lambda_max", net, "full")[0] for net in NETS}
    better = {
        layer: np.mean(_of(rows, "kappa_p", "BN", layer) < _of(rows, "kappa_p", "plain", layer))
        for layer in ("full", *layers)
    }
    blocks = [r for r in rows if r["layer"] != "full"]
    off = {key: _factors(blocks, key) for key in ("lambda_max", "kappa_p")}
    # One side says that the matrix is singular, the other that it is not: off by any factor.
    apart = int(np.isinf(off["kappa_p"]).sum())
    finite = off["kappa_p"][np.isfinite(off["kappa_p"])]
    common.save(
        NAME,
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        "of DNNs”, figures 1, 2 and A1",
        claim="At initialization the plain net's curvature vanishes (largest eigenvalue about "
        "1e-5, with BN about 1); BN is better conditioned, as a whole and layer by layer; products "
        "of the factors' spectra match those of the blocks.",
        verdict=f"lambda_max of the full matrix: plain {largest['plain']:.2g}, BN "
        f"{largest['BN']:.2g}. BN has the smaller kappa_p at {better['full']:.0%} of the p for the "
        f"full matrix and {np.mean([better[i] for i in layers]):.0%} over the layers. Proposition "
        f"1 is off by a factor of {np.median(off['lambda_max']):.2f} (median; at most "
        f"{off['lambda_max'].max():.2f}) in lambda_max and {np.median(off['kappa_p']):.2f} "
        f"(at most {finite.max():.2g}, and infinite in {apart} of {len(off['kappa_p'])} "
        "comparisons, where one side has an eigenvalue of 0 and the other has not) in kappa_p.",
        seen=largest["plain"] < 1e-2 * largest["BN"]
        and min(better["full"], np.mean([better[i] for i in layers])) > 0.5
        and np.median(off["lambda_max"]) < 2
        and np.median(off["kappa_p"]) < 2
        and apart == 0,
        budget=budget,
        command="python -m examples.figures.conditioning_curvature --data-dir DATA",
        to=options.to,
        judged=options.judge,
    )


def _factors(rows, key) -> np.ndarray:
    """How far apart exact and approximate values are; those that are infinite in both left out."""
    pairs = [(row[key], row[f"{key}_approximate"]) for row in rows]
    pairs = [pair for pair in pairs if not all(np.isinf(pair))]
    return np.array([max(a / b, b / a) if np.isfinite([a, b]).all() else np.inf for a, b in pairs])


if __name__ == "__main__":
    main()
