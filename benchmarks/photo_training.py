"""One training step of the recipes `tiny_imagenet`, batch 128, at 32 and 64 pixels.

The zoo's step is the training program's own model, with its regularizers and what prepares the
pictures; by hand there is no orthogonal regularizer. `input` is the pipeline alone, per batch of
random windows: what it takes longer than a step, a training takes longer. A processor without
AVX-512 or AMX emulates bfloat16, which is not measured there.
"""

import dataclasses
from functools import partial
from pathlib import Path

from benchmarks.common import main, timed

SECONDS, BATCH = 8, 128
SIDES = (32, 64)
NETS = ("seqnet18", "resnet18", "seqnet50")


def bfloat16() -> bool:
    """Whether the processor computes in it."""
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and "avx512_bf16" in cpu.read_text()


def zoo_step(net: str, policy: str) -> dict[str, float]:
    import numpy as np

    from training import engines, recipe
    from training.data import Images
    from training.data.pipeline import Share
    from training.tasks.classification import CLASSIFICATION
    from training.tasks.task import Data

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4 * BATCH, 64, 64, 3), "uint8")
    labels = tuple(map(str, range(200)))
    images = Images(pixels, rng.integers(0, 200, len(pixels)), labels)
    settings = recipe.find(f"tiny_imagenet/{net}")
    result = {}
    for side in SIDES:
        ours = dataclasses.replace(settings, sizes=(side,), dtype=policy)
        data = Data(images, images, labels, {"train": len(pixels)}, ours.preprocess)
        model = CLASSIFICATION.build(ours, data, engines.start(engines.Options()))
        batches = CLASSIFICATION.batches(ours, data, Share())
        x, y = batches.step(0, 0)
        result[f"{side} px"] = timed(lambda m=model, x=x, y=y: m.train_on_batch(x, y), SECONDS)
        result[f"{side} px, input"] = timed(lambda b=batches: b.step(0, 0), 1)
    return result


def torch_step(net: str, compiled: bool, half: bool) -> dict[str, float]:
    from benchmarks.torch_photo_nets import training_step
    from training import recipe

    width = recipe.find(f"tiny_imagenet/{net}").model_args["width"]
    return {
        f"{side} px": timed(training_step(net, width, side, BATCH, compiled, half), SECONDS)
        for side in SIDES
    }


POLICIES = ("float32", "mixed_bfloat16")[: 1 + bfloat16()]
CONTENDERS = {
    f"{net}, {backend}, {policy}": (backend, partial(zoo_step, net, policy))
    for net in NETS
    for policy in POLICIES
    for backend in ("tensorflow", "torch")
} | {
    f"{net}, by hand, {policy}, {'compiled' if compiled else 'eager'}": (
        "torch",
        partial(torch_step, net, compiled, policy != "float32"),
    )
    for net in NETS
    for policy in POLICIES
    for compiled in (False, True)
}

if __name__ == "__main__":
    baseline = {
        key: f"{net}, by hand, float32, eager"
        for net in NETS
        for key in CONTENDERS
        if key.startswith(f"{net}, ") and key != f"{net}, by hand, float32, eager"
    }
    main("photo_training", CONTENDERS, baseline, rounds=1)
