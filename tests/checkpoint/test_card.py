"""zoo.json: exact inverse of the dataclass, strict about everything."""

import dataclasses
import json

import pytest

from tests.support.checkpoints import make_card
from zoo.checkpoint import FileEntry, Origin, Training, parse_card, to_json
from zoo.checkpoint.readme import readme
from zoo.errors import CheckpointError

pytestmark = pytest.mark.once

YOUNGER = {"terms", "label_ids", "notes"}  # than the first published cards, which lack them
FILES = {"model.safetensors": FileEntry(10, "ab" * 32)}


def card_of(**changes):
    card = make_card(files=FILES, **changes)
    return dataclasses.replace(card, args={**card.args, "input_shape": (4, 4, 1)})


def refused(data: bytes) -> str:
    with pytest.raises(CheckpointError) as error:
        parse_card(data, "some/zoo.json")
    message = str(error.value)
    assert message.startswith("some/zoo.json")
    assert len(message) < 1000
    return message


def refused_after(change) -> str:
    value = json.loads(to_json(card_of()))
    change(value)
    return refused(json.dumps(value).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_norm": None, "metrics": (), "labels": (), "head": (), "training": Training()},
        {"dtype": "float16", "citation": 'ä "quoted"\n\t\\ ünïcode 🦓'},
        {"args": {"input_shape": (4, 4, 1), "max_norm": None, "weight_decay": 0.5, "units": 3}},
    ],
)
def test_round_trip(changes):
    card = card_of()
    card = dataclasses.replace(card, **changes)
    text = to_json(card)
    again = parse_card(text.encode(), "zoo.json")
    assert again == card
    assert to_json(again) == text
    fields = {k: v for k, v in dataclasses.asdict(card).items() if k not in YOUNGER}
    assert json.loads(text) == json.loads(json.dumps(fields))


def test_origin_adds_up_all_trainings():
    """A card whose training began from another: what the next one says of it."""
    card = card_of(version=2)
    assert Origin.of(card) == Origin("maxnorm_mlp3.toy", 2, "toys", 2 + 7, 1.5 + 2.5)
    first = dataclasses.replace(card, training=dataclasses.replace(card.training, origin=None))
    assert Origin.of(first) == Origin("maxnorm_mlp3.toy", 2, "toys", 2, 1.5)


def test_args_keep_the_difference_of_integers_and_numbers():
    args = {"a": 1, "b": 1.0, "c": True, "d": None, "e": "x", "f": (1, 2)}
    again = parse_card(to_json(card_of() and make_card(files=FILES, args=args)).encode(), "z").args
    assert {k: (type(v), v) for k, v in again.items()} == {k: (type(v), v) for k, v in args.items()}


def test_an_integer_is_a_number():
    def change(card):
        card["metrics"][0]["value"] = 1

    value = json.loads(to_json(card_of()))
    change(value)
    metric = parse_card(json.dumps(value).encode(), "z").metrics[0]
    assert type(metric.value) is float


@pytest.mark.parametrize(
    "field", [f.name for f in dataclasses.fields(make_card()) if f.name not in YOUNGER]
)
def test_every_field_is_needed(field):
    message = refused_after(lambda c: c.pop(field))
    assert f"{field} is missing" in message


def test_younger_fields_may_be_missing():
    card = card_of()
    assert not YOUNGER & json.loads(to_json(card)).keys()
    assert parse_card(to_json(card).encode(), "z") == card
    ids = tuple(f"n{i}" for i in range(len(card.labels)))
    full = dataclasses.replace(
        card, terms="research alone", label_ids=ids, notes=("Without a crop.",)
    )
    assert parse_card(to_json(full).encode(), "z") == full
    text = readme(full)
    assert "Terms of the training data: research alone." in text
    assert "* Without a crop" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(labls=[]), ["labls", "Did you mean 'labels'"]),
        (lambda c: c["training"].update(sed=1), ["training: ", "Did you mean 'seed'"]),
        (lambda c: c["metrics"][0].update(value="x"), ["metrics[0].value", "number", "'x'"]),
        (lambda c: c["metrics"][0].update(value=True), ["metrics[0].value", "True"]),
        (lambda c: c["metrics"][0].update(n=1.0), ["metrics[0].n", "integer"]),
        (lambda c: c["metrics"][0].update(n=0), ["metrics[0].n", "1 or more"]),
        (lambda c: c["metrics"][0].pop("n"), ["metrics[0].n is missing"]),
        (lambda c: c.update(metrics={}), ["metrics", "list"]),
        (lambda c: c.update(training=[]), ["training", "object"]),
        (lambda c: c.update(batch_norm=3), ["batch_norm", "object or null"]),
        (lambda c: c["batch_norm"].update(epsilon=0), ["batch_norm.epsilon", "positive"]),
        (lambda c: c["batch_norm"].update(momentum=2), ["batch_norm.momentum"]),
        (lambda c: c.update(version=True), ["version", "integer", "True"]),
        (lambda c: c.update(version=0), ["version", "1 or more"]),
        (lambda c: c.update(zoo_format=2), ["newer zoo", "upgrade"]),
        (lambda c: c.update(zoo_format=2, more=1), ["newer zoo"]),
        (lambda c: c.update(zoo_format=0), ["zoo_format"]),
        (lambda c: c.update(dtype="float64"), ["dtype", "'float32' or 'float16'", "float64"]),
        (lambda c: c.update(dtype=None), ["dtype"]),
        (lambda c: c.update(dtype=["float32"]), ["dtype"]),
        (lambda c: c.update(name="../evil.toy"), ["name", "architecture.tag"]),
        (lambda c: c.update(name="maxnorm_mlp3.toy\n"), ["name"]),
        (lambda c: c.update(architecture="plainnet20"), ["architecture", "maxnorm_mlp3"]),
        (lambda c: c.update(labels=["a", 1]), ["labels[1]", "text", "1"]),
        (lambda c: c.update(labels="abc"), ["labels", "list"]),
        (lambda c: c.update(labels=["\x1b[2Jgone"]), ["labels[0]", "control"]),
        (lambda c: c.update(labels=["\ud800"]), ["labels[0]"]),
        (lambda c: c.update(labels=["\u202egnp.exe"]), ["labels[0]", r"\u202e"]),
        (lambda c: c.update(citation="a\0b"), ["citation", "control"]),
        (lambda c: c.update(label_ids=["n1"]), ["label_ids", "one a label"]),
        (lambda c: c.update(notes="late"), ["notes", "list"]),
        (lambda c: c.update(head=["a", "a"]), ["head", "different"]),
        (lambda c: c.update(params=-1), ["params"]),
        (lambda c: c.update(license=" "), ["license"]),
        (lambda c: c.update(args=[]), ["args", "object"]),
        (lambda c: c["args"].update(width={"a": 1}), ["args['width']"]),
        (lambda c: c["args"].update(width=[1, [2]]), ["args['width'][1]", "integer"]),
        (lambda c: c["preprocess"].update(size=[4]), ["preprocess.size", "list of 2"]),
        (lambda c: c["preprocess"].update(size=[4, -4]), ["preprocess", "size"]),
        (lambda c: c["preprocess"].update(size=[4, 4097]), ["preprocess", "4096"]),
        (lambda c: c["preprocess"].update(resize=10**9), ["preprocess", "4096"]),
        (lambda c: c["preprocess"].update(std=[0]), ["preprocess", "std"]),
        (lambda c: c["preprocess"].update(mean=[0, 0]), ["preprocess", "mean"]),
        (lambda c: c["preprocess"].update(scale=0), ["preprocess.scale"]),
        (lambda c: c["preprocess"].update(interpolation="magic"), ["preprocess", "bicubic"]),
        (lambda c: c.update(files={}), ["files", "model.safetensors"]),
        (lambda c: c["files"].update({"../../x": {"size": 1, "sha256": "ab" * 32}}), ["../../x"]),
        (lambda c: c["files"].update({"/etc/passwd": {"size": 1, "sha256": "ab" * 32}}), ["files"]),
        (lambda c: c["files"]["model.safetensors"].update(size=-1), ["files", "size"]),
        (lambda c: c["files"]["model.safetensors"].update(sha256="AB" * 32), ["sha256", "hex"]),
        (lambda c: c["files"]["model.safetensors"].update(sha256="ab"), ["sha256", "hex"]),
        (lambda c: c["training"].update(curve=[[1, 0.5]]), ["training.curve[0]", "list of 3"]),
        (lambda c: c["training"].update(curve=[[1, None, 1]]), ["training.curve[0][1]"]),
        (lambda c: c["training"].update(wall_time=-1), ["training.wall_time"]),
        (lambda c: c["training"].pop("origin"), ["training.origin is missing"]),
        (lambda c: c["training"].update(origin="x.y"), ["training.origin", "object or null"]),
        (
            lambda c: c["training"]["origin"].update(name="../x"),
            ["origin.name", "architecture"],
        ),
        (lambda c: c["training"]["origin"].update(version=0), ["origin.version", "1 or more"]),
        (lambda c: c["training"]["origin"].update(epochs=-1), ["training.origin.epochs"]),
        (lambda c: c["training"]["origin"].update(wall_time=-1), ["training.origin.wall_time"]),
    ],
)
def test_names_the_field_and_what_is_allowed(change, words):
    message = refused_after(change)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"null", "must be an object"),
        (b"[]", "must be an object"),
        (b"\xff{}", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"[" * 900_000, "nested too deeply"),
        (b'{"a":' * 150_000, "nested too deeply"),
        (b'{"name": 1, "name": 2}', "'name' occurs twice"),
        (b'{"args": {"x": 1, "x": 1}}', "'x' occurs twice"),
        (b'{"version": ' + b"1" * 100_000 + b"}", "integer of 100000 digits"),
        (b" " * 1_000_001, "larger than 1,000,000 bytes"),
        (b"{" + b",".join(b'"%d":0' % i for i in range(90_000)) + b"}", "Unknown field"),
    ],
)
def test_no_json_no_card(data, words):
    assert words in refused(data)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(number):
    text = to_json(card_of()).replace('"value": 0.75', f'"value": {number}')
    message = refused(text.encode())
    assert "metrics[0].value must be a finite number" in message


def test_cards_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        card_of().version = 2
