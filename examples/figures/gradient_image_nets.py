"""Gradient norms of ResNet50, SeqNet50 and PlainNet50 at their start, layer by layer.

Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", figure 4 (left).

    python -m examples.figures.gradient_image_nets --photos FOLDER

The nets as they are, at 224x224 pixels. Theirs: ImageNet. Here: the first 32 photos of a folder
(below, of COCO) under random labels, which say as little to an untrained net as the true ones; the
mean over 2 starts, some five minutes. Convolutions of shortcuts are left out, so that all nets are
read along one chain of 50 layers; where two layers of SeqNet50 share one kernel, its gradient is
that of both.
"""

from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.signals import Probe, Tap, gradient_norm
from zoo.signals.theory.depth import growth_per_layer

COUNT, STARTS, CLASSES = 32, 2, 1000
NETS = {"ResNet50": "resnet50", "SeqNet50": "seqnet50", "PlainNet50": "plainnet50"}


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--photos", type=Path, help="folder of JPEG files")
    options = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    if options.quick:
        x = rng.standard_normal((4, 64, 64, 3), "float32")
    elif options.photos and (photos := sorted(options.photos.glob("*.jpg"))[:COUNT]):
        x = zoo.preprocess(zoo.preprocessing.IMAGENET, photos)
    else:
        parser.error(f"--photos must be a folder of .jpg files. Received: {options.photos}")
    y = rng.integers(0, CLASSES, len(x))
    width, starts = (4, 1) if options.quick else (64, STARTS)
    norms = {net: _norms(name, x, y, width, starts) for net, name in NETS.items()}
    figure, ((panel,),) = common.axes(1, width=6)
    rows = []
    for net, found in norms.items():
        panel.semilogy(range(1, len(found) + 1), found.values(), ".-", label=net)
        rows += [
            {"net": net, "index": i, "layer": layer, "gradient_norm": norm}
            for i, (layer, norm) in enumerate(found.items(), start=1)
        ]
    panel.set(xlabel="layer", ylabel="||dl/dW||")
    panel.legend()
    growth = {net: growth_per_layer(found) for net, found in norms.items()}
    whole = {net: growth[net] ** (len(norms[net]) - 1) for net in NETS}
    text = "; ".join(f"{n} {growth[n]:.3f} times per layer, {whole[n]:.3g} in all" for n in NETS)
    common.save(
        "gradient_image_nets",
        figure,
        rows,
        paper="Hu, “Revisiting Exploding Gradient: A Ghost That Never Leaves”, figure 4 (left)",
        claim="At the start ResNet50 and SeqNet50 have stable gradients; those of PlainNet50 grow "
        "quickly towards the input.",
        verdict=f"Fitted growth towards the input: {text}.",
        seen=all(whole["PlainNet50"] > 10 * whole[n] for n in ("ResNet50", "SeqNet50")),
        budget=f"{len(x)} photos at {x.shape[1]}x{x.shape[2]} pixels, width {width}, "
        f"{starts} starts, no training (paper: ImageNet).",
        command="python -m examples.figures.gradient_image_nets --photos FOLDER"
        + (" --quick" if options.quick else ""),
        to=options.to,
    )


def _norms(name: str, x, y, width: int, starts: int) -> dict[str, float]:
    """Convolution -> mean norm over the starts, in the order of the net."""
    found: dict[str, list[float]] = {}
    for seed in range(starts):
        keras.utils.set_random_seed(seed)
        model = zoo.create(name, num_classes=CLASSES, input_shape=x.shape[1:], width=width)
        norms = Probe(model, {"norm": Tap("weight_gradient", gradient_norm)})(x, y)["norm"]
        for layer, norm in norms.items():
            if "shortcut" not in layer and not layer.startswith("head"):
                found.setdefault(layer, []).append(float(norm))
    return {layer: float(np.mean(values)) for layer, values in found.items()}


if __name__ == "__main__":
    main()
