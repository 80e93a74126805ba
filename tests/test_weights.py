"""The shipped checkpoints: what their cards say is true, and the first command of the README."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.support import fresh
from tests.support.helpers import forward, run_python
from training import readme_table
from training.data import read

once = pytest.mark.once  # outputs on every backend: test_shipped.py
ROOT = Path(__file__).parent.parent
# Whose figures are computed again on the full test set; those of the others on 500 of its images.
SAMPLE = {"maxnorm_mlp100.usps", "seqnet18.cifar10"}


def metric(card, split, name):
    return next(m for m in card.metrics if (m.split, m.name) == (split, name))


@once
def test_the_promised_checkpoints_are_there():
    assert {"maxnorm_mlp100.usps", "maxnorm_plainnet50.cifar10"} <= set(zoo.list_weights())
    total = sum(f.stat().st_size for f in (ROOT / "weights").rglob("*") if f.is_file())
    assert total < 120e6


@once
@pytest.mark.parametrize("name", zoo.list_weights())
def test_card_is_complete(name):
    card = zoo.card(name)
    for split in ("test", "train"):
        assert 0 < metric(card, split, "top1").value <= 1
        assert metric(card, split, "top1").command.startswith("python -m training.evaluate")
    assert card.labels
    assert card.license == "Apache-2.0"
    assert card.training.commit
    assert len(card.training.curve) == card.training.epochs
    assert (ROOT / "weights" / name / "README.md").read_text().count("---") >= 2


@once
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.release if name == "seqnet18.cifar10" else ())
        for name in zoo.list_weights()
    ],
)
def test_figures_on_test_images(name, shared_data):
    """By hand: nothing of the evaluation program and none of its preprocessing."""
    model, card = zoo.load(name), zoo.card(name)
    images = read(card.training.data, "test", shared_data)
    stated = metric(card, "test", "top1")
    assert stated.n == len(images.y)
    count = len(images.y) if name in SAMPLE else 500
    y, how = images.y[:count], card.preprocess
    x = (images.x[:count].astype("float64") * how.scale - np.array(how.mean)) / np.array(how.std)
    batches = np.array_split(x.astype("float32"), -(-count // 250))
    probabilities = np.concatenate([forward(model, batch) for batch in batches])
    accuracy = float((probabilities.argmax(axis=1) == y).mean())
    if name in SAMPLE:
        assert accuracy == pytest.approx(stated.value, abs=1e-3)
        own = probabilities[np.arange(len(y)), y]
        assert -np.log(own).mean() == pytest.approx(metric(card, "test", "loss").value, rel=0.02)
    else:
        error = np.sqrt(stated.value * (1 - stated.value) / len(y))
        assert accuracy == pytest.approx(stated.value, abs=4 * error)


@once
def test_first_floors():
    """What the first release promised: at most 6.5% error on USPS, at least 86% on CIFAR-10."""
    assert metric(zoo.card("maxnorm_mlp100.usps"), "test", "top1").value >= 0.935
    assert metric(zoo.card("maxnorm_plainnet50.cifar10"), "test", "top1").value >= 0.86


def test_defaults_and_live_parts():
    model = zoo.load("maxnorm_plainnet50")
    assert model.zoo_card.name == "maxnorm_plainnet50.cifar10"
    assert len(model.losses) == 51
    kernel = keras.ops.convert_to_numpy(model.get_layer("stage1_1_conv").kernel)
    norms = np.sqrt((kernel**2).sum(axis=(0, 1, 2)))
    assert norms.max() <= 3 * (1 + 1e-3)


def test_fine_tuning_starts_from_the_pretrained_body():
    body = zoo.load("maxnorm_plainnet50", num_classes=0)
    model = zoo.load("maxnorm_plainnet50", num_classes=2)
    x = np.random.default_rng(0).normal(size=(16, 32, 32, 3)).astype("float32")
    features = keras.Model(model.inputs[0], model.get_layer("head_pool").output)
    np.testing.assert_allclose(forward(body, x), forward(features, x), atol=1e-5)
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    model.fit(x, np.arange(16) % 2, verbose=0)
    assert forward(model, x).shape == (16, 2)


def test_names_a_real_photo_offline():
    skimage = pytest.importorskip("skimage")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    # No socket may be opened, and JAX needs no TensorFlow.
    result = run_python(
        "import os, socket, sys\n"
        "if os.environ['KERAS_BACKEND'] == 'jax': sys.modules['tensorflow'] = None\n"
        "def refuse(*_, **__): raise OSError('a connection was asked for')\n"
        "socket.socket.connect = refuse\n"
        "from zoo.cli import main\n"
        "sys.exit(main(['predict', 'maxnorm_plainnet50', sys.argv[1], '--json']))",
        str(photo),
    )
    assert result.returncode == 0, result.stderr
    (told,) = json.loads(result.stdout)
    best = told["predictions"][0]
    assert best["label"] == "cat"
    assert sum(p["probability"] for p in told["predictions"]) <= 1 + 1e-6


@once
def test_readme_table_is_that_of_the_cards():
    assert readme_table.renewed(readme_table.README.read_text()) == readme_table.README.read_text()


@once
def test_evaluation_program_on_a_shipped_checkpoint(shared_data):
    command = metric(zoo.card("maxnorm_mlp100.usps"), "test", "top1").command
    words = command.replace("DATA", str(shared_data)).split()
    result = fresh.run(*words[1:], "--json")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_bare_name_says_what_it_loads_once(caplog, monkeypatch):
    from zoo.hub import loading

    monkeypatch.setattr(loading, "_named", set())
    zoo.load("seqnet50.cifar10")
    assert not caplog.records
    for _ in range(2):
        zoo.load("seqnet50")
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "seqnet50 is the checkpoint seqnet50.cifar10 here (32x32 pixels, 10 classes, width=16)"
    )
