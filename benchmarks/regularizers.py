"""What regularizers and constraints add to a training step, batch 128 at 32x32 pixels, TensorFlow.

Ratios are against the same net without any: 0.98 means that the step takes 1/0.98 of the time.
"""

from functools import partial

from benchmarks.common import main, timed

SECONDS = 5
CIFAR = {"num_classes": 10, "input_shape": (32, 32, 3)}
SEQNET = {**CIFAR, "stem": "cifar", "width": 16}

# net: (architecture, its options, {what is added: options})
NETS = {
    "plainnet44": (
        CIFAR,
        {
            "nothing": {"orthonormal": 0.0},
            "weight decay": {"orthonormal": 0.0, "weight_decay": 1e-4},
            "orthonormal": {"orthonormal": 1e-4},
            "max-norm": {"orthonormal": 0.0, "max_norm": 3.0},
        },
    ),
    "seqnet50": (
        SEQNET,
        {
            "nothing": {"orthogonal": 0.0, "weight_decay": 0.0},
            "weight decay": {"orthogonal": 0.0, "weight_decay": 1e-4},
            "weight decay, orthogonal": {"orthogonal": 1e-4, "weight_decay": 1e-4},
        },
    ),
}


def step(net: str, options: dict) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo

    model = zoo.create(net, **options)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=False,
    )
    x = np.random.default_rng(0).random((128, 32, 32, 3), "float32")
    y = np.arange(128) % 10
    return {"step": timed(lambda: model.train_on_batch(x, y), SECONDS)}


CONTENDERS = {
    f"{net}, {what}": ("tensorflow", partial(step, net, common | options))
    for net, (common, additions) in NETS.items()
    for what, options in additions.items()
}

if __name__ == "__main__":
    main(
        "regularizers",
        CONTENDERS,
        {
            key: f"{key.partition(', ')[0]}, nothing"
            for key in CONTENDERS
            if not key.endswith("nothing")
        },
        rounds=2,
    )
