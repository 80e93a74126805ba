"""Prediction with maxnorm_plainnet50, one image and 256: the zoo's against PyTorch by hand."""

from benchmarks.common import main, timed

SECONDS = 3
BATCHES = (1, 256)


def keras_prediction() -> dict[str, float]:
    import numpy as np

    import zoo

    model = zoo.load("maxnorm_plainnet50")
    figures = {}
    for n in BATCHES:
        raw = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), "uint8")
        x = zoo.preprocess(model, raw)
        figures[f"network, {n}"] = timed(lambda x=x: model.predict_on_batch(x), SECONDS) / n
        figures[f"zoo.predict, {n}"] = (
            timed(lambda raw=raw, n=n: zoo.predict(model, raw, batch_size=n), SECONDS) / n
        )
    return figures


def torch_prediction() -> dict[str, float]:
    from benchmarks.torch_plainnet50 import prediction

    return {f"network, {n}": timed(prediction(n), SECONDS) / n for n in BATCHES}


CONTENDERS = {
    "PyTorch by hand, eager": ("torch", torch_prediction),
    "tensorflow": ("tensorflow", keras_prediction),
    "jax": ("jax", keras_prediction),
    "torch": ("torch", keras_prediction),
}

if __name__ == "__main__":
    by_hand = "PyTorch by hand, eager"
    main("prediction", CONTENDERS, {key: by_hand for key in CONTENDERS if key != by_hand})
