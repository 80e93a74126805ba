"""Cost of depth: ResNetLastBNs of width 4 on 8x8 images, batch 8, until the second training step.

`build` makes the model and its optimizer, `first step` traces and compiles; `per block` is the
share of one residual block (two convolutions, two batch normalizations) in both. From some number
of blocks on, a stage is a loop over its blocks (`zoo/layers/repeat.py`): the ratios are against
the same net without loops, whose blocks are traced and compiled one by one.
"""

import math
import time
from functools import partial

from benchmarks.common import main, timed

DEPTHS = (20, 110, 1202)
LAYER_BY_LAYER = 110  # 1202 take minutes


def first_steps(depth: int, loops: bool = True) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo
    from zoo.layers import repeat

    if not loops:
        repeat.LOOP_FROM = (math.inf, math.inf)
    x = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    y = np.arange(8)
    began = time.perf_counter()
    model = zoo.create(f"resnet{depth}_lastbn", width=4, input_shape=(8, 8, 3), weight_decay=0.0)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=keras.backend.backend() == "jax",
    )
    model.optimizer.build(model.trainable_variables)
    built = time.perf_counter()
    model.train_on_batch(x, y)
    first = time.perf_counter()
    return {
        "build": built - began,
        "first step": first - built,
        "per block": (first - began) / ((depth - 2) / 2),
        "step": timed(lambda: model.train_on_batch(x, y), seconds=2, warmup=1),
    }


CONTENDERS = {
    f"{backend}, {depth} layers": (backend, partial(first_steps, depth))
    for backend in ("tensorflow", "jax", "torch")
    for depth in DEPTHS
} | {
    f"{backend}, {LAYER_BY_LAYER} layers without loops": (
        backend,
        partial(first_steps, LAYER_BY_LAYER, loops=False),
    )
    for backend in ("tensorflow", "jax")
}

if __name__ == "__main__":
    main(
        "depth",
        CONTENDERS,
        {
            f"{backend}, {LAYER_BY_LAYER} layers": (
                f"{backend}, {LAYER_BY_LAYER} layers without loops"
            )
            for backend in ("tensorflow", "jax")
        },
        rounds=1,
    )
