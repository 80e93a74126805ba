"""Cold start: the first model of a process, a ResNet-50 of 102 MB.

Imports and the start of the backend come before; the files are in the page cache. `zoo.load`
checks the hash of every byte, which only the floor does besides: it reads and hashes the weights
and builds the graph, whose variables have no values. PyTorch by hand maps the file into memory
and reads nothing before it is used.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import main

MODEL = "resnet50"
FOLDER = "ZOO_COLD_START"  # environment variable: where the files are
FIGURE = "resnet50, 102 MB"


def path(name: str) -> str:
    return str(Path(os.environ[FOLDER]) / name)


def write_files() -> None:
    import keras_hub
    from safetensors.torch import save_file

    import zoo
    from benchmarks.torch_resnet50 import network
    from zoo.checkpoint import Training, new_card, save_checkpoint
    from zoo.preprocessing import IMAGENET

    model = zoo.create(MODEL)
    card = new_card(
        model,
        f"{MODEL}.random",
        args={},
        preprocess=IMAGENET,
        labels=(),
        training=Training(),
        license="none",
    )
    save_checkpoint(model, path("zoo"), card)
    model.save(path("model.keras"))
    model.save_weights(path("model.weights.h5"))
    save_file(network().state_dict(), path("torch.safetensors"))
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
    )
    classifier = keras_hub.models.ResNetImageClassifier(backbone, num_classes=1000)
    classifier.save_to_preset(path("preset"))


def timed(load: Callable[[], object]) -> dict[str, float]:
    began = time.perf_counter()
    load()
    return {FIGURE: time.perf_counter() - began}


def with_keras(load: Callable[[], object]) -> Callable[[], dict[str, float]]:
    def contender():
        import keras

        import zoo

        zoo.list_models()  # imports the families
        keras.ops.ones((1,))  # starts the backend
        return timed(load)

    return contender


def floor():
    import zoo
    from zoo.models.deferred import build_without_values

    with open(path("zoo/model.safetensors"), "rb") as file:
        hashlib.sha256(file.read()).hexdigest()
    return build_without_values(lambda: zoo.create(MODEL))


def zoo_load():
    import zoo

    return zoo.load(path("zoo"))


def keras_file():
    import keras

    return keras.models.load_model(path("model.keras"))


def keras_weights():
    import zoo

    zoo.create(MODEL).load_weights(path("model.weights.h5"))


def keras_hub_preset() -> dict[str, float]:
    import keras
    import keras_hub

    keras.ops.ones((1,))
    return timed(lambda: keras_hub.models.ImageClassifier.from_preset(path("preset")))


def by_hand() -> dict[str, float]:
    import safetensors.torch  # noqa: F401

    from benchmarks.torch_resnet50 import load

    return timed(lambda: load(path("torch.safetensors")))


CONTENDERS = {
    f"{backend}, {what}": (backend, function)
    for backend in ("tensorflow", "jax")
    for what, function in {
        "zoo.load": with_keras(zoo_load),
        "floor": with_keras(floor),
        "load_model of a .keras file": with_keras(keras_file),
        "create + load_weights of .h5": with_keras(keras_weights),
        "keras_hub, from_preset": keras_hub_preset,
    }.items()
} | {
    "torch, zoo.load": ("torch", with_keras(zoo_load)),
    "torch, floor": ("torch", with_keras(floor)),
    "torch, PyTorch by hand": ("torch", by_hand),
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault(FOLDER, folder)
        if "--only" not in sys.argv:
            write_files()
        baselines = {key: f"{backend}, zoo.load" for key, (backend, _) in CONTENDERS.items()}
        main("cold_start", CONTENDERS, {k: v for k, v in baselines.items() if k != v}, rounds=3)
