"""`zoo.save`: a model of one's own as a folder, with a card that says what is true of it."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.checkpoints import MLP, images, make_card, make_model, predict
from tests.support.helpers import run_python
from zoo.checkpoint import Metric, Origin, Training, load_checkpoint, read_card
from zoo.errors import CheckpointError, UnknownNameError, ZooError
from zoo.hub.upload import prepare_upload

pytestmark = pytest.mark.once

ABOUT = {"labels": ["head", "tail"], "training": Training(data="coins", epochs=3)}

FRESH = """
import json, sys
import numpy as np
import zoo, zoo.cli
model = zoo.load(sys.argv[1])
x = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict(x, verbose=0))
print(json.dumps(zoo.predict(model, np.zeros((9, 9), "uint8"))))
assert zoo.cli.main(["predict", sys.argv[1], sys.argv[4]]) == 0
"""


@pytest.fixture
def tuned(template):
    """A published model with a new head of two classes."""
    return load_checkpoint(template[0], num_classes=2)


def test_a_tuned_model_in_a_fresh_process(tuned, tmp_path):
    folder = tmp_path / "coins"
    card = zoo.save(tuned, folder, **ABOUT)
    assert (card.name, card.version, card.dtype) == ("maxnorm_mlp3.coins", 1, "float32")
    assert (card.labels, card.metrics) == (("head", "tail"), ())
    assert card.training.origin == Origin("maxnorm_mlp3.toy", 1, "toys", 9, 4.0)
    assert card == read_card(folder) == zoo.card(folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "model.safetensors",
        "zoo.json",
    ]
    np.save(tmp_path / "x.npy", images(tuned))
    Image.new("L", (9, 9)).save(tmp_path / "black.png")
    result = run_python(
        FRESH, *(str(tmp_path / n) for n in ("coins", "x.npy", "y.npy", "black.png"))
    )
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), predict(tuned))
    first, *printed = result.stdout.splitlines()
    assert {name for name, _ in json.loads(first)} == {"head", "tail"}
    assert json.loads(first)[0][0] in "".join(printed)  # what `zoo predict` says
    (tmp_path / "staged").mkdir()
    upload = prepare_upload(folder, tmp_path / "staged", "hf://me/coins", {})  # `zoo publish`
    assert (upload.card.name, upload.card.labels) == (card.name, card.labels)


def test_without_figures_the_page_says_so(tuned, tmp_path):
    zoo.save(tuned, tmp_path / "coins", **ABOUT)
    page = (tmp_path / "coins" / "README.md").read_text()
    assert "Nothing was measured with these weights." in page
    assert 'zoo.load("coins")' in page  # beside it; its name is no built-in one
    metrics = [Metric("coins", "test", "top1", np.float32(0.5), np.int64(8), "by hand")]
    card = zoo.save(tuned, tmp_path / "measured", metrics=metrics, **ABOUT)
    assert card.metrics == (Metric("coins", "test", "top1", 0.5, 8, "by hand"),)
    assert "Nothing was measured" not in (tmp_path / "measured/README.md").read_text()


def test_an_unchanged_model_keeps_its_card(template, tmp_path):
    model = load_checkpoint(template[0])
    assert zoo.save(model, tmp_path / "copy") == read_card(template[0])


def test_notes_and_ids_of_the_training_before_are_dropped(tuned, tmp_path):
    tuned.zoo_card = dataclasses.replace(tuned.zoo_card, notes=("Before.",), terms="research")
    card = zoo.save(tuned, tmp_path / "coins", **ABOUT, label_ids=["n1", "n2"])
    assert (card.notes, card.label_ids, card.terms) == ((), ("n1", "n2"), "research")
    again = load_checkpoint(tmp_path / "coins")
    card = zoo.save(again, tmp_path / "words", labels=("Kopf", "Zahl"))
    assert (card.labels, card.label_ids) == (("Kopf", "Zahl"), ())


def test_overwriting(tuned, tmp_path):
    folder = tmp_path / "coins"
    zoo.save(tuned, folder, **ABOUT)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ZooError, match=r"holds a checkpoint: .* overwrite=True"):
        zoo.save(tuned, folder, **ABOUT)
    with pytest.raises(CheckpointError, match="labels must be 2"):
        zoo.save(tuned, folder, labels=["one"], overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    (folder / "curve.png").write_bytes(b"of the training before")
    assert zoo.save(tuned, folder, overwrite=True, **ABOUT).version == 1  # the same weights
    assert not (folder / "curve.png").exists()
    again = load_checkpoint(folder)
    again.get_layer("head_dense").bias.assign([1.0, 2.0])
    card = zoo.save(again, folder, overwrite=True)
    assert (card.name, card.version, card.training.origin.version) == ("maxnorm_mlp3.coins", 2, 1)


def test_a_weight_that_is_not_finite_writes_nothing(tuned, tmp_path):
    tuned.get_layer("head_dense").bias.assign([np.nan, 0.0])
    with pytest.raises(CheckpointError, match="head_dense/bias has values that are not finite"):
        zoo.save(tuned, tmp_path / "coins", **ABOUT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["photos", "file", "hf://me/coins", "resnet20", 3])
def test_folders_that_are_not_free(tuned, tmp_path, name):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"a picture")
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / name if name in ("photos", "file") else name
    with pytest.raises(ZooError, match=r"zoo\.publish|folder"):
        zoo.save(tuned, folder, overwrite=True, **ABOUT)
    assert (tmp_path / "photos" / "cat.png").read_bytes() == b"a picture"


def test_a_new_model(tmp_path):
    model = make_model(make_card())
    with pytest.raises(ZooError, match="has no card yet: give preprocess=…, labels=…"):
        zoo.save(model, tmp_path / "mine")
    about = {"preprocess": make_card().preprocess, "labels": np.array(["a", "b", "c"])}
    card = zoo.save(model, tmp_path / "Mine, of today", **about)
    assert (card.name, card.license) == ("maxnorm_mlp3.mine_of_today", "not stated")
    assert card.args == {k: tuple(v) if isinstance(v, list) else v for k, v in MLP.items()}
    np.testing.assert_array_equal(predict(zoo.load(tmp_path / "Mine, of today")), predict(model))


def test_a_body_for_a_detector(tmp_path):
    card = make_card("plainnet20")
    zoo.save(make_model(card), tmp_path / "net", preprocess=card.preprocess, labels=card.labels)
    body = zoo.load(tmp_path / "net", features=True)
    card = zoo.save(body, tmp_path / "body")
    assert (card.labels, card.head, card.args["features"]) == ((), (), True)
    assert "num_classes=5" not in (tmp_path / "body" / "README.md").read_text()
    again = zoo.load(tmp_path / "body")
    for level, output in body(images(body)).items():
        np.testing.assert_array_equal(again(images(body))[level], output)
    with pytest.raises(CheckpointError, match="labels must be 0"):
        zoo.save(body, tmp_path / "other", labels=["a", "b", "c"])


def test_a_detector(tmp_path):
    options = {"input_shape": (64, 64, 3), "fpn_filters": 4, "head_units": 4, "width": 2}
    model = zoo.create("mask_rcnn_plainnet20", num_classes=2, masks=False, **options)
    preprocess = dataclasses.replace(zoo.preprocessing.CIFAR, size=(64, 64), resize=64)
    card = zoo.save(model, tmp_path / "rings", labels=["ring", "disc"], preprocess=preprocess)
    assert card.name == "mask_rcnn_plainnet20.rings"
    again = zoo.load(tmp_path / "rings")
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), a.path)


def test_one_output_may_have_two_labels(tmp_path):
    card = make_card()
    model = zoo.create("maxnorm_mlp3", **{**MLP, "num_classes": 1, "activation": "sigmoid"})
    zoo.save(model, tmp_path / "mine", preprocess=card.preprocess, labels=["no", "yes"])
    found = zoo.predict(zoo.load(tmp_path / "mine"), np.zeros((4, 4), "uint8"))
    assert {name for name, _ in found} == {"no", "yes"}


def test_models_of_others(tuned, tmp_path):
    inputs = keras.Input((3,), name="x")
    foreign = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="foreign")
    copy = keras.models.clone_model(tuned)
    for model in (foreign, copy):
        with pytest.raises(ZooError, match=rf"'{model.name}' was not built by zoo\.create.*args="):
            zoo.save(model, tmp_path / "mine", labels=["a", "b"])
    about = {"name": "maxnorm_mlp3.mine", "args": {**MLP, "num_classes": 2}}
    about["preprocess"] = tuned.zoo_card.preprocess
    zoo.save(copy, tmp_path / "mine", labels=["a", "b"], **about)
    assert zoo.load(tmp_path / "mine").output_shape == (None, 2)
    with pytest.raises(ZooError, match="the model is not maxnorm_mlp3 with the args"):
        zoo.save(foreign, tmp_path / "other", labels=["a", "b"], **about)
    with pytest.raises(ZooError, match="must be a model of the zoo"):
        zoo.save("resnet20", tmp_path / "other")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": "ab"}, "labels must be a list of names"),
        ({"labels": [1, 2]}, "labels must be a list of names"),
        ({"name": "plainnet20.x"}, "architecture must be 'plainnet20'"),
        ({"name": "Mine"}, "name must be 'architecture.tag'"),
        ({"metrics": print}, "metrics must be a list"),
        ({"labels": None}, r"Give labels=\[…\]"),
    ],
)
def test_other_refusals(tuned, tmp_path, fields, words):
    with pytest.raises(ZooError, match=words):
        zoo.save(tuned, tmp_path / "mine", **({"labels": ["a", "b"]} | fields))
    with pytest.raises(UnknownNameError, match="Did you mean 'license'"):
        zoo.save(tuned, tmp_path / "mine", licence="MIT")
    assert list(tmp_path.iterdir()) == []
