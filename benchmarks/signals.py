"""What a probe costs: gradient norms and error moments of all weight layers, in training steps.

`probe` takes them in one pass, reduced where they flow; `all held` brings all outputs, errors and
gradients of that pass to the host and reduces them there; `layer by layer` is one compiled
gradient call for each layer, extrapolated from three of them, evenly spread over the depth.
`step with monitor` is a training step with a hundredth of what SignalMonitor(every=100) takes.
They run in turn in one process. Ratios are against the training step: 0.5 means two steps.
"""

import statistics
import tempfile
import time
from functools import partial

from benchmarks.common import main

ROUNDS = 5
STEP = "training step"


def plainnet110():
    import zoo

    return zoo.create("plainnet110", num_classes=10, activation=None), (128, 32, 32, 3)


def resnet50():
    import keras

    model = keras.applications.ResNet50(weights=None, classifier_activation=None)
    return model, (4, 224, 224, 3)


def costs(net) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo
    from zoo.signals import Probe, Tap, gradient_norm, identity, layers_of, mean_square

    model, shape = net()
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    y = np.arange(len(x)) % 10
    model.compile(
        keras.optimizers.SGD(1e-4, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    reduced = {
        "gradient": Tap("weight_gradient", gradient_norm),
        "moment": Tap("output_gradient", mean_square),
    }
    everything = {
        "gradient": Tap("weight_gradient", lambda kernel, gradient: gradient),
        "moment": Tap("output_gradient", identity),
        "output": Tap("output", identity),
    }
    layers = list(layers_of(model))
    some = [layers[i] for i in (len(layers) // 6, len(layers) // 2, 5 * len(layers) // 6)]
    probe, held = Probe(model, reduced), Probe(model, everything)
    single = [Probe(model, reduced, layers=[layer]) for layer in some]

    def reduce_held():
        for values in held(x, y).values():
            for value in values.values():
                float(np.mean(np.square(value)))

    with tempfile.TemporaryDirectory() as folder:
        monitor = zoo.callbacks.SignalMonitor(x, y, every=100, folder=folder)
        monitor.set_model(model)
        monitor.on_train_begin()
        monitor.on_epoch_begin(0)

        def monitored():
            monitor.on_train_batch_begin(0)
            monitor.step = monitor.period - 1
            monitor.on_train_batch_end(0)

        contenders = {
            STEP: lambda: model.train_on_batch(x, y),
            "probe": lambda: probe(x, y),
            "all held": reduce_held,
            "layer by layer": lambda: [one(x, y) for one in single],
            "step with monitor": monitored,
        }
        times: dict[str, list[float]] = {what: [] for what in contenders}
        for number in range(1 + ROUNDS):
            for what, run in contenders.items():
                began = time.perf_counter()
                run()
                if number:
                    times[what].append(time.perf_counter() - began)
    found = {what: statistics.median(values) for what, values in times.items()}
    found["layer by layer"] *= len(layers) / len(single)
    found["step with monitor"] = found[STEP] + found["step with monitor"] / 100
    return found


CONTENDERS = {
    f"{name}, tensorflow": ("tensorflow", partial(costs, net))
    for name, net in {
        "plainnet110, 128 of 32x32": plainnet110,
        "ResNet50 of Keras, 4 of 224x224": resnet50,
    }.items()
}

if __name__ == "__main__":
    main("signals", CONTENDERS, within=STEP, rounds=1)
