"""README.md: metadata that the Hub reads, and text that nothing on a card can break."""

import dataclasses
import re

import pytest

from tests.support.checkpoints import make_card
from zoo.checkpoint import FileEntry, Metric, Origin, Training
from zoo.checkpoint.readme import readme

pytestmark = pytest.mark.once

yaml = pytest.importorskip("yaml")

FILES = {"model.safetensors": FileEntry(12345, "ab" * 32)}
NASTY = 'a: "b"\n---\n# head | <script>`rm`</script> ``` [x](y) *z* \\ {é}'


def card_of(**changes):
    return make_card(files=FILES, **changes)


def metadata(text: str) -> dict:
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("\n---\n")[0])


def test_metadata():
    values = metadata(readme(card_of()))
    assert values["library_name"] == "keras"
    assert values["pipeline_tag"] == "image-classification"
    assert values["license"] == "apache-2.0"
    assert values["datasets"] == ["toys"]
    assert "maxnorm_mlp3" in values["tags"]
    (result,) = values["model-index"][0]["results"]
    assert result["dataset"] == {"name": "toys", "type": "toys", "split": "test"}
    assert result["metrics"] == [{"type": "top1", "name": "top1", "value": 0.75}]


def test_the_hubs_client_reads_it():
    hub = pytest.importorskip("huggingface_hub")
    metrics = (
        Metric("toys", "test", "top1", 0.75, 4, "a"),
        Metric("toys", "test", "loss", 1e-5, 4, "a"),
        Metric("toys", "train", "top1", 1.0, 8, "b"),
    )
    data = hub.ModelCard(readme(card_of(metrics=metrics))).data
    assert data.model_name == "maxnorm_mlp3.toy"
    assert [(r.dataset_split, r.metric_type, r.metric_value) for r in data.eval_results] == [
        ("test", "top1", 0.75),
        ("test", "loss", 1e-5),
        ("train", "top1", 1.0),
    ]


def test_metadata_is_what_the_hubs_own_classes_write():
    hub = pytest.importorskip("huggingface_hub")
    metrics = (
        Metric("toys", "test", "top1", 0.75, 4, "a"),
        Metric("toys", "test", "loss", 1e-5, 4, "a"),
        Metric("toys", "train", "top1", 1.0, 8, "b"),
    )
    data = hub.ModelCardData(
        library_name="keras",
        pipeline_tag="image-classification",
        license="apache-2.0",
        datasets=["toys"],
        tags=["keras", "zoo", "image-classification", "maxnorm_mlp3"],
        model_name="maxnorm_mlp3.toy",
        eval_results=[
            hub.EvalResult(
                task_type="image-classification",
                dataset_type=m.dataset,
                dataset_name=m.dataset,
                dataset_split=m.split,
                metric_type=m.name,
                metric_name=m.name,
                metric_value=m.value,
            )
            for m in metrics
        ],
    )
    text = readme(card_of(metrics=metrics))
    assert metadata(text) == data.to_dict()
    assert hub.ModelCard(text).data.to_dict() == data.to_dict()


def test_what_to_load():
    text = readme(card_of(), "hf://org/toy")
    assert 'zoo.load("hf://org/toy")' in text
    assert 'zoo.load("hf://org/toy", num_classes=5)' in text
    assert 'zoo.load("maxnorm_mlp3.toy")' not in text


def test_curve():
    assert "![Error by epoch](curve.png)" in readme(card_of(), curve=True)
    assert "curve.png" not in readme(card_of())


def test_without_the_zoo():
    entry = FileEntry(1, "ab" * 32)
    names = ("config.json", "metadata.json", "model.weights.h5")
    card = make_card(files={**FILES, **dict.fromkeys(names, entry)})
    assert 'keras.saving.load_model("hf://org/toy")' in readme(card, "hf://org/toy")
    assert "load_model" not in readme(card_of())
    assert "The network itself takes the zoo." in readme(card_of())


def test_shards():
    shards = {f"model-0000{i}-of-00002.safetensors": FileEntry(1000, "ab" * 32) for i in (1, 2)}
    card = make_card(files={**shards, "model.safetensors.index.json": FileEntry(9, "ab" * 32)})
    text = readme(card)
    assert "model-00001-of-00002.safetensors to model-00002-of-00002.safetensors" in text
    assert "2,000 bytes" in text


def test_training_by_another_program():
    origin = Origin("plainnet20.toy", 1, "", 0, 0.0)
    training = Training(settings=("freeze=body",), origin=origin, data="flowers", epochs=3)
    text = readme(card_of(training=training, metrics=()))
    assert "training.train" not in text
    assert "| settings | freeze=body |" in text
    assert "| weights before | plainnet20.toy, version 1 |" in text
    assert "| epochs | 3 |" in text
    for unknown in ("commit", "seed", "backend", "time"):
        assert f"| {unknown}" not in text
    nothing = readme(card_of(training=Training(), metrics=()))
    assert "trained on" not in nothing
    assert "epochs" not in nothing


def test_page():
    text = readme(card_of())
    assert 'zoo.load("maxnorm_mlp3.toy")' in text
    assert "| toys | test | top1 | 0.75 | 4 |" in text
    assert "python -m training.evaluate x" in text
    assert "Published, by the paper, for its own training: 5% error (table I)" in text
    assert "Somebody:\nA paper" in text
    assert "12,345 bytes" in text
    assert "| weights before | maxnorm\\_mlp3.older, version 3 (7 epochs on shapes) |" in text
    assert "0123abc" in text


def test_what_is_not_there_is_not_told():
    card = card_of(metrics=(), citation="", batch_norm=None)
    training = dataclasses.replace(card.training, recalibrated=0)
    text = readme(dataclasses.replace(card, training=training))
    for word in ("Measured", "model-index", "Citation", "BatchNorm"):
        assert word not in text


def test_unusual_licence():
    values = metadata(readme(card_of(license="For research only")))
    assert values["license"] == "other"
    assert values["license_name"] == "For research only"


def test_nothing_escapes():
    card = card_of(
        metrics=(Metric(NASTY, NASTY, NASTY, 0.5, 4, NASTY),), license=NASTY, citation=NASTY
    )
    training = dataclasses.replace(card.training, data=NASTY, published=NASTY, device=NASTY)
    text = readme(dataclasses.replace(card, training=training))
    values = metadata(text)
    assert values["license_name"] == NASTY
    assert values["model-index"][0]["results"][0]["dataset"]["name"] == NASTY
    assert "datasets" not in values
    body = text.split("\n---\n", 1)[1]
    outside = re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", body, flags=re.DOTALL | re.MULTILINE)
    assert "```" not in outside
    assert "<script>" not in outside
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    assert headings == ["maxnorm\\_mlp3.toy", "Measured", "Training", "Citation", "Files"]
    assert all(line.count(" | ") in (1, 4) for line in outside.splitlines() if line[:1] == "|")
