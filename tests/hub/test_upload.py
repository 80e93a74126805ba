"""The folder that goes up: what must be told of a model, and what is dropped because it is no
longer true."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import make_card, make_model, predict
from zoo.checkpoint import Metric, Origin, Training, load_checkpoint, read_card
from zoo.errors import CheckpointError, UnknownNameError, ZooError
from zoo.formats import keras_form
from zoo.hub.upload import prepare_upload

pytestmark = pytest.mark.once

TO = "hf://org/toy"
NEEDED = ("preprocess", "labels", "training", "license")


@pytest.fixture
def to(tmp_path):
    folder = tmp_path / "staged"
    folder.mkdir()
    return folder


@pytest.fixture
def trained(template):
    """A published model after another step."""
    model = load_checkpoint(template[0])
    kernel = model.get_layer("head_dense").kernel
    kernel.assign(np.asarray(kernel) + 0.01)
    return model


def refused(source, to, words, **fields) -> None:
    with pytest.raises(ZooError, match=words):
        prepare_upload(source, to, TO, fields)


def test_a_loaded_model_is_its_folder(template, to):
    upload = prepare_upload(load_checkpoint(template[0]), to, TO, {})
    before = read_card(template[0])
    assert upload.card.metrics == before.metrics
    assert upload.card.files["model.safetensors"] == before.files["model.safetensors"]
    assert (upload.rounding, upload.remark) == (0.0, "")
    assert load_checkpoint(to).zoo_card == upload.card == upload.model.zoo_card
    np.testing.assert_array_equal(predict(upload.model), predict(template[1]))


def test_training_further_takes_another_name(trained, to):
    told = {"training": Training(data="coins")}
    refused(trained, to, r"The weights are not those of maxnorm_mlp3\.toy, version 1")
    refused(trained, to, "The weights are not those of", **told, version=1)
    refused(trained, to, "Describe that: training=", name="maxnorm_mlp3.mine")
    refused(trained, to, "Describe that: training=", version=2)
    upload = prepare_upload(trained, to, TO, {**told, "name": "maxnorm_mlp3.mine"})
    assert (upload.card.metrics, upload.card.version) == ((), 1)
    assert upload.card.training.origin == Origin("maxnorm_mlp3.toy", 1, "toys", 9, 4.0)
    assert upload.card.labels == make_card().labels
    assert prepare_upload(trained, to, TO, {**told, "version": 2}).card.version == 2


def test_a_new_head_takes_labels(template, to):
    model = load_checkpoint(template[0], num_classes=2)
    told = {"name": "maxnorm_mlp3.mine", "training": Training(data="coins")}
    refused(model, to, r"Give labels=\[…\]", **told)
    with pytest.raises(CheckpointError, match="labels must be 2, as many as classes"):
        prepare_upload(model, to, TO, {**told, "labels": ["one"]})
    assert prepare_upload(model, to, TO, {**told, "labels": ["one", "two"]}).card.labels == (
        "one",
        "two",
    )
    assert prepare_upload(model, to, TO, {**told, "labels": ()}).card.labels == ()


def test_other_arguments_of_load_are_on_the_card(template, to):
    told = {"version": 2, "training": Training()}
    logits = load_checkpoint(template[0], activation=None)
    card = prepare_upload(logits, to, TO, {}).card  # the same weights
    assert card.args["activation"] is None
    np.testing.assert_array_equal(predict(load_checkpoint(to)), predict(logits))
    body = load_checkpoint(template[0], num_classes=0)
    assert prepare_upload(body, to, TO, told).card.head == ()


def test_half_precision(template, to):
    refused(template[0], to, "version=2", dtype="float16")
    upload = prepare_upload(template[0], to, TO, {"dtype": "float16", "version": 2})
    assert upload.card.metrics == ()  # measured on other files
    assert upload.card.training == make_card().training
    weights = zip(template[1].weights, upload.model.weights, strict=True)
    change = max(
        np.linalg.norm(np.ravel(np.asarray(a) - np.asarray(b))) / np.linalg.norm(np.asarray(a))
        for a, b in weights
    )
    assert upload.rounding == pytest.approx(change, rel=1e-3)
    assert 1e-5 < upload.rounding < 2**-11


def test_metrics_are_measured_on_what_is_stored(template, to):
    def measured(stored):
        kernel = np.asarray(stored.get_layer("hidden1_dense").kernel)
        np.testing.assert_array_equal(kernel, kernel.astype("float16"))
        return [Metric("toys", "test", "top1", float(predict(stored)[0, 0]), 4, "by hand")]

    fields = {"dtype": "float16", "version": 2, "metrics": measured}
    upload = prepare_upload(template[0], to, TO, fields)
    (metric,) = upload.card.metrics
    assert metric.value == predict(upload.model)[0, 0]
    assert "by hand" in (to / "README.md").read_text()


def test_a_model_without_a_card(to):
    card = make_card()
    model = make_model(card)
    for missing in NEEDED:
        fields = {name: getattr(card, name) for name in ("name", *NEEDED) if name != missing}
        refused(model, to, f"has no card yet: give {missing}=…", **fields)
    refused(model, to, "give name=…, preprocess=…, labels=…, training=…, license=…")
    fields = {name: getattr(card, name) for name in ("name", *NEEDED)}
    upload = prepare_upload(model, to, TO, {**fields, "labels": list(card.labels)})
    assert upload.card.head == ("head_dense",)
    assert upload.card.batch_norm == card.batch_norm
    assert "Oyedotun" in upload.card.citation
    assert upload.card.requires == f"zoo>={zoo.__version__}"
    np.testing.assert_array_equal(predict(upload.model), predict(model))


def test_mixed_precision_in_training(template, to):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = load_checkpoint(template[0])
    finally:
        keras.config.set_dtype_policy(policy)
    assert prepare_upload(model, to, TO, {}).card.metrics == make_card().metrics


def test_unknown_fields(template, to):
    with pytest.raises(UnknownNameError, match=r"card field: 'lables'\. Did you mean 'labels'"):
        prepare_upload(template[0], to, TO, {"lables": []})
    with pytest.raises(UnknownNameError, match="card field: 'files'"):
        prepare_upload(template[0], to, TO, {"files": {}})


def test_damaged_folder(folder, to):
    (folder / "model.safetensors").write_bytes(b"x" * 2436)
    with pytest.raises(CheckpointError):
        prepare_upload(folder, to, TO, {})
    assert list(to.iterdir()) == []


def test_a_net_without_a_plain_form(template, to, monkeypatch):
    """As one that is too deep: everything but Keras's own files goes up, and the page says so."""
    monkeypatch.setattr(keras_form, "_MOST_LAYERS", 3)
    upload = prepare_upload(template[0], to, TO, {})
    assert "too deep" in upload.remark
    assert sorted(path.name for path in to.iterdir()) == [
        "README.md",
        "model.safetensors",
        "zoo.json",
    ]
    assert "The network itself takes the zoo." in (to / "README.md").read_text()
