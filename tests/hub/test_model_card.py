"""README.md: metadata that the Hub reads, and text that nothing on a card can break."""

import dataclasses
import re

import pytest
from hub_helpers import make_card

from zoo.hub import FileEntry, Metric
from zoo.hub.model_card import readme

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


def test_page():
    text = readme(card_of())
    assert 'zoo.load("maxnorm_mlp3.toy")' in text
    assert "| toys | test | top1 | 0.75 | 4 |" in text
    assert "python -m training.evaluate x" in text
    assert "Published, by the paper, for its own training: 5% error (table I)" in text
    assert "Somebody:\nA paper" in text
    assert "12,345 bytes" in text
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
