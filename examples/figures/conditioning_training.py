"""Magnitude and condition of inputs and output gradients of 20 dense layers in training.

Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
figures 3 and 5 (of full descent; A5 and A6 of batches): plain and batch normalized, random and
He's initialization.

    python -m examples.figures.conditioning_training --data-dir DATA

Theirs: MNIST, full gradient descent or batches of 1024, the best of the rates 0.05, 0.1, 0.5 and
1, many epochs. Here: the first 10,000 images, 200 steps of 512 at rate 0.1 (seed 0), judged on
1000 of them; some five minutes. "Random" is uniform within 1 / sqrt(fan-in), as the layers of
Torch start (see `conditioning_curvature`), He's the normal one of variance 2 / fan-in. Conditions
are compared start by start and step by step; of nets that have learned nothing by a step, nothing
is said there.
"""

import dataclasses
import itertools
import json
from typing import NamedTuple

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.models.mlp import mlp
from zoo.signals.conditioning import layer_conditioning
from zoo.signals.linear import LinearSignals

NAME = "conditioning_training"
MNIST = dataclasses.replace(zoo.preprocessing.USPS, size=(28, 28), resize=28)
COUNT, BATCH, STEPS, JUDGED, P = 10_000, 512, (0, 40, 200), 1000, 50
NETS = {"plain": "none", "BN": "batchnorm"}
STARTS = {"random": "fan_in_uniform", "He": "he_normal_fan_in"}
KEYS = {
    "lambda_max_x": "lambda_max of the input",
    "lambda_max_dh": "lambda_max of the output gradient",
    "kappa_x": f"kappa_{P} of the input",
    "kappa_dh": f"kappa_{P} of the output gradient",
}


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    if options.judge:
        about = json.loads((options.to / f"{NAME}.json").read_text())
        _save(options, common.table(NAME, options), about["budget"])
        return
    x, y = common.images("mnist", "train", options, MNIST, COUNT)
    steps = (0, 2, 3) if options.quick else STEPS
    rows = []
    for start in STARTS:
        for net, norm in NETS.items():
            keras.utils.set_random_seed(0)
            model = mlp(
                5 if options.quick else 19,
                input_shape=(28, 28, 1),
                units=16 if options.quick else 256,
                norm=norm,
                initializer=STARTS[start],
            )
            model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
            signals, judged = LinearSignals(model), [(x[:JUDGED], y[:JUDGED])]
            about = {"start": start, "net": net}
            rows += _rows(about | {"step": 0, "loss": np.nan}, layer_conditioning(signals, judged))
            for before, now in itertools.pairwise(steps):
                common.train(model, x, y, steps=now - before - 1, batch=min(BATCH, len(x)))
                loss = common.train(model, x, y, steps=1, batch=min(BATCH, len(x)))
                about |= {"step": now, "loss": loss}
                rows += _rows(about, layer_conditioning(signals, judged))
    budget = f"{len(x)} training images of MNIST, {steps[-1]} steps of {BATCH} at rate 0.1"
    _save(options, rows, budget)


def _rows(about, conditioning):
    return [
        about
        | {
            "layer": i,
            "lambda_max_x": one.inputs.lambda_max,
            "lambda_max_dh": one.gradients.lambda_max,
            "kappa_x": one.inputs.kappa(P),
            "kappa_dh": one.gradients.kappa(P),
        }
        for i, one in enumerate(conditioning.values(), start=1)
    ]


def _of(rows, key, start, net, step) -> np.ndarray:
    chosen = (start, net, step)
    return np.array([r[key] for r in rows if (r["start"], r["net"], r["step"]) == chosen])


def _save(options, rows, budget):
    steps = sorted({row["step"] for row in rows})
    figure, panels = common.axes(4, 2, width=3.4, height=2.6)
    for line, start in zip(panels, STARTS, strict=True):
        for panel, (key, title) in zip(line, KEYS.items(), strict=True):
            for color, net in enumerate(NETS):
                for style, step in zip(("--", ":", "-"), steps, strict=False):
                    values = _of(rows, key, start, net, step)
                    label = f"{net}, step {step}"
                    panel.plot(
                        range(1, len(values) + 1), values, style, color=f"C{color}", label=label
                    )
            panel.set_title(f"{start}: {title}", fontsize=9)
            panel.set(yscale="log", xlabel="layer")
    panels[0, 0].legend(fontsize=7)

    def span(key, start, net):
        """Last over first hidden layer's input, first over last output gradient."""
        values = _of(rows, key, start, net, 0)[1:-1]
        return values[-1] / values[0] if key == "lambda_max_x" else values[0] / values[-1]

    spans = {
        (start, net): tuple(span(k, start, net) for k in ("lambda_max_x", "lambda_max_dh"))
        for start in STARTS
        for net in NETS
    }
    comparisons = {(start, i): _comparison(rows, start, i) for start in STARTS for i in steps}
    judged = {key: c.better for key, c in comparisons.items() if c.better is not None}
    magnitudes_hold = max(spans["random", "plain"]) < 1e-3 and all(
        1e-3 < value < 1e3
        for key, pair in spans.items()
        if key != ("random", "plain")
        for value in pair
    )
    seen: bool | None = magnitudes_hold and all(judged.values())
    if seen and not any(step for _, step in judged):
        seen = None  # nothing is known of trained nets
    magnitudes = ", ".join(
        f"{start} {net} {spans[start, net][0]:.1g} and {spans[start, net][1]:.1g}"
        for start, net in spans
    )
    common.save(
        NAME,
        figure,
        rows,
        paper="Huang et al., “Layer-wise Conditioning Analysis in Exploring the Learning Dynamics "
        "of DNNs”, figures 3 and 5",
        claim="Plain nets from random initialization lose inputs forward and gradients backward "
        "exponentially, from He's they do not, and BN keeps both from either; BN improves the "
        "condition of both.",
        verdict=f"lambda_max over the hidden layers at step 0, inputs forward and gradients "
        f"backward: {magnitudes}. Median kappa_{P}, plain and BN: "
        + "; ".join(c.text for c in comparisons.values())
        + f". BN's is smaller in both in {sum(judged.values())} of {len(judged)} comparisons.",
        seen=seen,
        budget=budget,
        command=f"python -m examples.figures.{NAME} --data-dir DATA",
        to=options.to,
        judged=options.judge,
    )


class _Comparison(NamedTuple):
    text: str
    better: bool | None


def _comparison(rows, start, step) -> _Comparison:
    """Of the plain net with BN, from one start, at one step; None where one has not learned."""
    losses = {net: _of(rows, "loss", start, net, step)[0] for net in NETS}
    medians = {
        key: [np.median(_of(rows, key, start, net, step)[1:-1]) for net in NETS]
        for key in ("kappa_x", "kappa_dh")
    }
    text = f"{start}, step {step}: inputs {{0[0]:.2g}} and {{0[1]:.2g}}, gradients {{1[0]:.2g}} "
    text = (text + "and {1[1]:.2g}").format(*medians.values())
    if step:
        text += f" (losses {losses['plain']:.2f} and {losses['BN']:.2f})"
        if not all(map(common.learned, losses.values())):
            idle = ", ".join(net for net, loss in losses.items() if not common.learned(loss))
            return _Comparison(f"{text}, not judged, for {idle} has learned nothing", None)
    return _Comparison(text, all(plain > bn for plain, bn in medians.values()))


if __name__ == "__main__":
    main()
