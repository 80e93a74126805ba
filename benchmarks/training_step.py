"""One training step of maxnorm_plainnet50, batch 128: the zoo's against PyTorch by hand."""

from functools import partial

from benchmarks.common import main, timed

SECONDS = 5


def keras_step(norm: str, policy: str) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo
    from zoo.layers import layer_factory

    if norm == "keras":  # what the fused layer is compared with
        layer_factory.BatchNormalization = keras.layers.BatchNormalization
    keras.config.set_dtype_policy(policy)
    model = zoo.create("maxnorm_plainnet50")
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=keras.backend.backend() == "jax",  # as the training program
    )
    x = np.random.default_rng(0).random((128, 32, 32, 3), "float32")
    y = np.arange(128) % 10
    return {"step": timed(lambda: model.train_on_batch(x, y), SECONDS)}


def torch_step(compiled: bool, half: bool) -> dict[str, float]:
    from benchmarks.torch_plainnet50 import training_step

    return {"step": timed(training_step(compiled, half), SECONDS)}


CONTENDERS = {
    f"{backend}, {policy}, {norm} batch norm": (backend, partial(keras_step, norm, policy))
    for backend, norm, policy in [
        ("tensorflow", "zoo", "float32"),
        ("tensorflow", "keras", "float32"),
        ("tensorflow", "zoo", "mixed_bfloat16"),
        ("tensorflow", "keras", "mixed_bfloat16"),
        ("jax", "zoo", "float32"),
        ("torch", "zoo", "float32"),
        ("torch", "keras", "float32"),
        ("torch", "zoo", "mixed_bfloat16"),
    ]
} | {
    f"PyTorch by hand, {'bfloat16' if half else 'float32'}, {'compiled' if c else 'eager'}": (
        "torch",
        partial(torch_step, c, half),
    )
    for half in (False, True)
    for c in (False, True)
}

if __name__ == "__main__":
    by_hand = "PyTorch by hand, float32, eager"
    others = [key for key in CONTENDERS if key != by_hand]
    main("training_step", CONTENDERS, dict.fromkeys(others, by_hand), rounds=2)
