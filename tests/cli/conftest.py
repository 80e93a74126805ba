"""The only checkpoint there is for these tests, and two pictures."""

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.checkpoint import BatchNorm, Card, Metric, Training, save_checkpoint
from zoo.hub import index, loading
from zoo.preprocessing import Preprocess

CARD = Card(
    zoo_format=1,
    name="maxnorm_mlp3.test",
    version=1,
    architecture="maxnorm_mlp3",
    args={"units": 20},
    preprocess=Preprocess(
        size=(16, 16),
        channels=1,
        resize=16,
        interpolation="bicubic",
        scale=1 / 127.5,
        mean=(1.0,),
        std=(1.0,),
    ),
    labels=("zero", "one", "two", "three", "four", "fünf", "six", "seven", "eight", "nine"),
    files={},
    head=("head_dense",),
    params=0,  # filled in
    dtype="float32",
    batch_norm=BatchNorm(1e-5, 0.9),
    metrics=(Metric("usps", "test", "top1", 0.9487, 2007, "python -m training.evaluate"),),
    training=Training(
        "maxnorm_mlp", ("epochs=2",), "abc", "usps", 2, 0, "jax", "cpu", 1.5, 0, "5.48% error", ()
    ),
    license="MIT",
    citation="Oyedotun et al., 2020",
    requires="zoo>=0.1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the only checkpoint there is."""
    folder = tmp_path_factory.mktemp("weights") / CARD.name
    save_checkpoint(zoo.create("maxnorm_mlp3", units=20), folder, CARD)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return loading.load(folder)


@pytest.fixture(autouse=True)
def weights(monkeypatch, folder):
    monkeypatch.setattr(index, "ROOTS", (folder.parent,))
    monkeypatch.setattr(index, "read_pins", dict)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two pictures and a text in the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("a.png", "b.jpg"):
        Image.fromarray(random.integers(0, 256, (30, 20, 3)).astype("uint8")).save(name)
    (tmp_path / "notes.txt").write_text("no picture")
