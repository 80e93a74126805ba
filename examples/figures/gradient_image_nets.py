"""Gradient norms of ResNet50, SeqNet50 and PlainNet50 at their start, layer by layer.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figure 4 (left).

    python -m examples.figures.gradient_image_nets --photos FOLDER

The nets as they are, at 224x224 pixels. Theirs: ImageNet. Here: the first 32 photos of a folder
(below, of COCO) under random labels, which say as little to an untrained net as the true ones; the
mean over 2 starts, some five minutes. Convolutions of shortcuts are left out, so that all nets are
read along one chain of 50 layers; where two layers of SeqNet50 share one kernel, its gradient is
that of both.
"""

import json
from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.signals import Probe, Tap, gradient_norm
from zoo.signals.theory.depth import growth_per_layer
from zoo.signals.verdict import TREND

NAME = "gradient_image_nets"
COUNT, STARTS, CLASSES = 32, 2, 1000
NETS = {"ResNet50": "resnet50", "SeqNet50": "seqnet50", "PlainNet50": "plainnet50"}


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--photos", type=Path, help="folder of JPEG files")
    options = parser.parse_args(argv)
    if options.judge:
        rows = common.table(NAME, options)
        budget = json.loads((options.to / f"{NAME}.json").read_text())["budget"]
    else:
        rows, budget = _measured(options, parser)
    figure, ((panel,),) = common.axes(1, width=6)
    growth, whole = {}, {}
    for net in NETS:
        norms = {row["layer"]: row["gradient_norm"] for row in rows if row["net"] == net}
        panel.semilogy(range(1, len(norms) + 1), norms.values(), ".-", label=net)
        growth[net] = growth_per_layer(norms)
        whole[net] = growth[net] ** (len(norms) - 1)
    panel.set(xlabel="layer", ylabel="||dl/dW||")
    panel.legend()
    # As `zoo probe` judges: what leaves [1 / 10, 10] over the whole depth is not stable.
    stable = {net: 1 / TREND < factor < TREND for net, factor in whole.items()}
    text = "; ".join(
        f"{n} {growth[n]:.3f} times per layer, {whole[n]:.3g} in all: "
        f"{'stable' if stable[n] else 'exploding'}"
        for n in NETS
    )
    common.save(
        NAME,
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, figure 4 (left)",
        claim="At the start ResNet50 and SeqNet50 have stable gradients; those of PlainNet50 grow "
        "quickly towards the input.",
        verdict=f"Fitted growth towards the input, stable where it stays below {TREND:g} in all: "
        f"{text}. PlainNet50's is {whole['PlainNet50'] / whole['ResNet50']:.0f} times that of "
        "ResNet50.",
        seen=stable["ResNet50"] and stable["SeqNet50"] and whole["PlainNet50"] > TREND,
        budget=budget,
        command=f"python -m examples.figures.{NAME} --photos FOLDER"
        + (" --quick" if options.quick else ""),
        to=options.to,
        judged=options.judge,
    )


def _measured(options, parser) -> tuple[list[dict], str]:
    """The rows, and what they rest on."""
    rng = np.random.default_rng(0)
    if options.quick:
        x = rng.standard_normal((4, 64, 64, 3), "float32")
    elif options.photos and (photos := sorted(options.photos.glob("*.jpg"))[:COUNT]):
        x = zoo.preprocess(zoo.preprocessing.IMAGENET, photos)
    else:
        parser.error(f"--photos must be a folder of .jpg files. Received: {options.photos}")
    y = rng.integers(0, CLASSES, len(x))
    width, starts = (4, 1) if options.quick else (64, STARTS)
    rows = [
        {"net": net, "index": i, "layer": layer, "gradient_norm": norm}
        for net, name in NETS.items()
        for i, (layer, norm) in enumerate(_norms(name, x, y, width, starts).items(), start=1)
    ]
    budget = (
        f"{len(x)} photos at {x.shape[1]}x{x.shape[2]} pixels, width {width}, "
        f"{starts} starts, no training (paper: ImageNet)."
    )
    return rows, budget


def _norms(name: str, x, y, width: int, starts: int) -> dict[str, float]:
    """Convolution -> mean norm over the starts, in the order of the net."""
    norms: dict[str, list[float]] = {}
    for seed in range(starts):
        keras.utils.set_random_seed(seed)
        model = zoo.create(name, num_classes=CLASSES, input_shape=x.shape[1:], width=width)
        probe = Probe(model, {"norm": Tap("weight_gradient", gradient_norm)})
        for layer, norm in probe(x, y)["norm"].items():
            if "shortcut" not in layer and not layer.startswith("head"):
                norms.setdefault(layer, []).append(float(norm))
    return {layer: float(np.mean(values)) for layer, values in norms.items()}


if __name__ == "__main__":
    main()
