"""zoo.load of the shipped checkpoints against building the same model and load_weights (h5).

The zoo's time includes its check of the hash; the files are in the page cache.
"""

import tempfile
from pathlib import Path

from benchmarks.common import main, timed

SECONDS = 3


def both(method: str) -> dict[str, float]:
    import keras

    import zoo

    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in zoo.list_weights():
            card = zoo.card(name)
            path = Path(folder) / f"{name}.weights.h5"
            zoo.load(name).save_weights(path)

            def load(name=name):
                keras.backend.clear_session()
                return zoo.load(name)

            def build_and_load(card=card, path=path):
                keras.backend.clear_session()
                model = zoo.create(card.architecture, **card.args)
                model.load_weights(path)
                return model

            figures[name] = timed(load if method == "zoo" else build_and_load, SECONDS, warmup=1)
    return figures


def zoo_load() -> dict[str, float]:
    return both("zoo")


def keras_load() -> dict[str, float]:
    return both("keras")


CONTENDERS = {
    f"{backend}, {what}": (backend, function)
    for backend in ("tensorflow", "jax", "torch")
    for what, function in (("create + load_weights", keras_load), ("zoo.load", zoo_load))
}

if __name__ == "__main__":
    main(
        "loading",
        CONTENDERS,
        {f"{b}, zoo.load": f"{b}, create + load_weights" for b in ("tensorflow", "jax", "torch")},
    )
