"""A small checkpoint, and ways to spoil it."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

import zoo
from tests.support.helpers import forward
from zoo.checkpoint import BatchNorm, Card, Metric, Origin, Training, save_checkpoint
from zoo.preprocessing import Preprocess

MLP = {"input_shape": [4, 4, 1], "units": 5, "num_classes": 3}
PLAIN = {"input_shape": [8, 8, 3], "width": 4, "num_classes": 3, "initializer": "he_normal"}


def make_card(architecture: str = "maxnorm_mlp3", **changes) -> Card:
    args = dict(PLAIN if architecture.startswith("plainnet") else MLP)
    height, width, channels = args["input_shape"]
    card = Card(
        zoo_format=1,
        name=f"{architecture}.toy",
        version=1,
        architecture=architecture,
        args=args,
        preprocess=Preprocess(
            size=(height, width),
            channels=channels,
            resize=height,
            interpolation="bilinear",
            scale=1 / 255,
            mean=(0.5,) * channels,
            std=(0.25,) * channels,
        ),
        labels=("cat", "dog", 'a "tést" | <b>'),
        files={},
        head=("head_dense",),
        params=0,
        dtype="float32",
        batch_norm=BatchNorm(epsilon=1e-5, momentum=0.9),
        metrics=(Metric("toys", "test", "top1", 0.75, 4, "python -m training.evaluate x"),),
        training=Training(
            recipe="toy",
            settings=("epochs=2",),
            commit="0123abc",
            data="toys",
            epochs=2,
            seed=0,
            backend="tensorflow",
            device="2 CPU cores",
            wall_time=1.5,
            recalibrated=7291,
            published="5% error (table I)",
            curve=((1, 0.5, None), (2, 0.25, 0.5)),
            origin=Origin("maxnorm_mlp3.older", 3, "shapes", 7, 2.5),
        ),
        license="Apache-2.0",
        citation="Somebody:\nA paper",
        requires="zoo>=0.1",
    )
    return dataclasses.replace(card, **changes)


def make_model(card: Card, seed: int = 1):
    """The card's model, every weight random, as after training (moving statistics, too)."""
    model = zoo.create(card.architecture, **card.args)
    rng = np.random.default_rng(seed)
    for v in model.weights:
        value = rng.normal(0, 0.3, tuple(v.shape))
        v.assign(np.abs(value) + 0.5 if v.path.endswith("moving_variance") else value)
    return model


def make_checkpoint(folder: Path, architecture: str = "maxnorm_mlp3", **changes):
    """(model, card) after writing them to `folder`."""
    card = make_card(architecture, **changes)
    model = make_model(card)
    return model, save_checkpoint(model, folder, card)


def images(model, n: int = 4) -> np.ndarray:
    shape = (n, *model.input_shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def predict(model) -> np.ndarray:
    return forward(model, images(model)).astype("float32")


def edit_card(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "zoo.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def write_weights(folder: Path, data: bytes) -> None:
    """Other weights, which the card vouches for: only the later checks are left."""
    (folder / "model.safetensors").write_bytes(data)
    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_card(folder, lambda c: c["files"].update({"model.safetensors": entry}))


def edit_weights(folder: Path, change: Callable[[dict], object]) -> None:
    tensors = load((folder / "model.safetensors").read_bytes())
    change(tensors)
    write_weights(folder, save(tensors))
