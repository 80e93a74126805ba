"""What the ingredients add to a training step, batch 128 at 32x32 pixels.

The nets of a column take their steps in turn in one process. Ratios are against the same net with
nothing added: 0.98 means that the step takes 1/0.98 of the time, 2% more.
"""

import statistics
import time
from functools import partial

from benchmarks.common import main

ROUNDS = 15
CIFAR = {"num_classes": 10, "input_shape": (32, 32, 3)}
SEQNET = {**CIFAR, "stem": "cifar", "width": 16, "weight_decay": 0.0, "orthogonal": 0.0}
NOTHING = "nothing"

# net: (its options, {what is added: (options, decay and period of a weight average)})
NETS = {
    "plainnet44": (
        {**CIFAR, "orthonormal": 0.0},
        {
            NOTHING: ({}, None),
            "weight decay": ({"weight_decay": 1e-4}, None),
            "orthonormal": ({"orthonormal": 1e-4}, None),
            "max-norm": ({"max_norm": 3.0}, None),
            "modulation": ({"modulation": True}, None),
            "average, every step": ({}, (0.999, 1)),
            "average, every 16th step": ({}, (0.999, 16)),
        },
    ),
    "seqnet50": (
        SEQNET,
        {NOTHING: ({}, None), "orthogonal": ({"orthogonal": 1e-4}, None)},
    ),
}


def steps(net: str) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo

    common, additions = NETS[net]
    x = np.random.default_rng(0).random((128, 32, 32, 3), "float32")
    y = np.arange(128) % 10

    def stepper(options, average):
        model = zoo.create(net, **{**common, **options})
        model.compile(
            zoo.optimizers.SGD(0.01, momentum=0.9),
            "sparse_categorical_crossentropy",
            jit_compile=keras.backend.backend() == "jax",
        )
        for layer in model.layers:
            if isinstance(layer, zoo.layers.ModulationSource):
                layer.steps_left.assign(10**6)
        callback = zoo.callbacks.WeightAverage(*average) if average else keras.callbacks.Callback()
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_begin(0)

        def step():
            callback.on_train_batch_begin(0)
            model.train_on_batch(x, y)
            callback.on_train_batch_end(0)

        return step

    steppers = {what: stepper(*options) for what, options in additions.items()}
    times: dict[str, list[float]] = {what: [] for what in steppers}
    for number in range(3 + ROUNDS):
        for what, step in steppers.items():
            # All steps of an average's period, or the one that updates would be missed.
            count = 16 if "16th" in what else 1
            began = time.perf_counter()
            for _ in range(count):
                step()
            if number >= 3:
                times[what].append((time.perf_counter() - began) / count)
    return {what: statistics.median(values) for what, values in times.items()}


CONTENDERS = {
    f"{net}, {backend}": (backend, partial(steps, net))
    for net in NETS
    for backend in ("tensorflow",)  # JAX takes a second per step on a CPU
}

if __name__ == "__main__":
    main("overhead", CONTENDERS, within=NOTHING, rounds=1)
