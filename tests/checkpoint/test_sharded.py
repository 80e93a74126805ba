"""Weights in several files: by the field's convention, and read as strictly as one file."""

import dataclasses
import hashlib
import json
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

from tests.support.checkpoints import edit_card, make_card, make_checkpoint, make_model, predict
from zoo.checkpoint import load_checkpoint, read_card, save_checkpoint
from zoo.checkpoint.files import write_files
from zoo.checkpoint.tensors import encode, read_weights, split
from zoo.errors import CheckpointError

INDEX = "model.safetensors.index.json"
# The toy has 223 float32 weights: with this limit three shards.
LIMIT = 400


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    model = make_model(make_card())
    save_checkpoint(model, folder, make_card(), max_shard_size=LIMIT)
    return folder, model


@pytest.fixture
def sharded(pristine, tmp_path):
    for path in pristine[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def vouch(folder, name: str) -> None:
    """The card says what the file is now."""
    data = (folder / name).read_bytes()
    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_card(folder, lambda c: c["files"].update({name: entry}))


def edit_index(folder, change) -> None:
    index = json.loads((folder / INDEX).read_text())
    change(index)
    (folder / INDEX).write_text(json.dumps(index))
    vouch(folder, INDEX)


def edit_shard(folder, name, change) -> None:
    tensors = safetensors.numpy.load((folder / name).read_bytes())
    change(tensors)
    (folder / name).write_bytes(safetensors.numpy.save(tensors))
    vouch(folder, name)


def refused(folder, *words) -> None:
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder)
    for word in (str(folder), *words):
        assert word in str(error.value)


SPECS = {f"t{i}": ((n,), "float32") for i, n in enumerate([10, 20, 5, 100, 1, 1])}


class TestSplit:
    def test_in_order_and_within_the_limit(self):
        shards = split(SPECS, 120)
        assert list(shards.values()) == [["t0", "t1"], ["t2"], ["t3"], ["t4", "t5"]]
        assert list(shards) == [f"model-0000{i}-of-00004.safetensors" for i in (1, 2, 3, 4)]

    def test_one_file_where_it_is_enough(self):
        assert split(SPECS, 4 * 137) == {"model.safetensors": list(SPECS)}
        assert len(split(SPECS, 4 * 137 - 1)) == 2

    def test_half_the_bytes_in_float16(self):
        half = {name: (shape, "float16") for name, (shape, _) in SPECS.items()}
        assert list(split(half, 60).values()) == list(split(SPECS, 120).values())


def test_encoding_is_that_of_the_library():
    rng = np.random.default_rng(0)
    arrays = {
        "b/kernel": rng.normal(size=(3, 5)).astype("float16"),
        "a/kernel": rng.normal(size=(2, 3, 1)).astype("float32"),
        "b/bias": rng.normal(size=5).astype("float32"),
        "scalar": np.array(3, "float32"),
        "none": np.zeros((0, 2), "float16"),
        "ünï": np.ones(1, "float32"),
    }
    expected = {name: (a.shape, a.dtype.name) for name, a in arrays.items()}
    data = b"".join(encode(list(arrays), expected, lambda name: arrays[name]))
    assert data == safetensors.numpy.save(arrays)


def test_files(pristine):
    folder, _ = pristine
    card = read_card(folder)
    shards = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    assert list(card.weight_files) == shards
    assert set(card.files) == {INDEX, *shards}
    assert names(folder) == sorted(["README.md", "zoo.json", INDEX, *shards])
    for name, entry in card.files.items():
        data = (folder / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.size, entry.sha256)
    sizes = [
        sum(a.nbytes for a in safetensors.numpy.load((folder / s).read_bytes()).values())
        for s in shards
    ]
    assert max(sizes) <= LIMIT
    assert sum(sizes) == json.loads((folder / INDEX).read_text())["metadata"]["total_size"]
    assert "model-00001-of-00003.safetensors to model-00003" in (folder / "README.md").read_text()


def test_other_readers_find_every_tensor_by_the_index(pristine):
    folder, model = pristine
    places = json.loads((folder / INDEX).read_text())["weight_map"]
    for variable in model.weights:
        with safe_open(folder / places[variable.path], "numpy") as file:
            np.testing.assert_array_equal(file.get_tensor(variable.path), np.asarray(variable))
    assert len(places) == len(model.weights)


def test_round_trip(pristine, tmp_path):
    folder, model = pristine
    again = load_checkpoint(folder)
    np.testing.assert_array_equal(predict(again), predict(model))
    assert again.zoo_card == read_card(folder)
    save_checkpoint(again, tmp_path, again.zoo_card, max_shard_size=LIMIT)
    assert all((tmp_path / n).read_bytes() == (folder / n).read_bytes() for n in names(folder))
    tuned = load_checkpoint(folder, num_classes=2)
    assert tuned.zoo_new == ("head_dense/kernel", "head_dense/bias")


def test_what_only_the_older_card_names_is_removed(sharded):
    model = load_checkpoint(sharded)
    save_checkpoint(model, sharded, model.zoo_card)
    assert names(sharded) == ["README.md", "model.safetensors", "zoo.json"]
    save_checkpoint(model, sharded, model.zoo_card, max_shard_size=600)
    assert len(read_card(sharded).weight_files) == 2
    assert len(names(sharded)) == 5
    np.testing.assert_array_equal(predict(load_checkpoint(sharded)), predict(model))


class TestRefusals:
    SHARD, OTHER = "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"

    @pytest.mark.parametrize("name", [SHARD, INDEX])
    def test_missing_file(self, sharded, name):
        (sharded / name).unlink()
        refused(sharded, name, "is missing")

    @pytest.mark.parametrize("name", [SHARD, INDEX])
    def test_flipped_bit(self, sharded, name):
        data = bytearray((sharded / name).read_bytes())
        data[-3] ^= 1
        (sharded / name).write_bytes(data)
        refused(sharded, name, "damaged")

    @pytest.mark.parametrize(
        "change",
        [
            lambda f: f.pop("model-00002-of-00003.safetensors"),
            lambda f: f.pop("model-00003-of-00003.safetensors"),
            lambda f: f.pop(INDEX),
            lambda f: f.update({"model.safetensors": f[INDEX]}),
            lambda f: f.update({"model-00001-of-00002.safetensors": f[INDEX]}),
            lambda f: f.update({"model-00004-of-00003.safetensors": f[INDEX]}),
            lambda f: f.update({"model-00000-of-00003.safetensors": f[INDEX]}),
        ],
    )
    def test_a_card_without_a_complete_set(self, sharded, change):
        edit_card(sharded, lambda c: change(c["files"]))
        refused(sharded, "zoo.json", "files must be model.safetensors or all shards and")

    @pytest.mark.parametrize("name", ["model-1-of-3.safetensors", "model-00001-of-00003.bin"])
    def test_no_shard(self, sharded, name):
        edit_card(sharded, lambda c: c["files"].update({name: c["files"][INDEX]}))
        refused(sharded, "zoo.json", name, "or a shard")

    def test_index_alone(self, folder):
        entry = {"size": 2, "sha256": "0" * 64}
        edit_card(folder, lambda c: c["files"].update({INDEX: entry}))
        refused(folder, "files must be model.safetensors or all shards")

    def test_a_tensor_in_two_shards(self, sharded):
        first = safetensors.numpy.load((sharded / self.SHARD).read_bytes())
        name = next(iter(first))
        edit_shard(sharded, self.OTHER, lambda t: t.update({name: first[name]}))
        refused(sharded, self.OTHER, f"has in addition {name}")

    def test_a_tensor_in_none(self, sharded):
        edit_shard(sharded, self.OTHER, lambda t: t.pop("head_dense/bias"))
        refused(sharded, self.OTHER, "lacks head_dense/bias")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda m: m.pop("head_dense/bias"), "lacks head_dense/bias"),
            (lambda m: m.update(more="model-00001-of-00003.safetensors"), "has in addition more"),
            (lambda m: m.update({"head_dense/bias": "../x.safetensors"}), "not among the card's"),
            (lambda m: m.update({"head_dense/bias": ["x"]}), "not among the card's"),
            (lambda m: m.update({"head_dense/bias": 3}), "not among the card's"),
        ],
    )
    def test_wrong_index(self, sharded, change, words):
        edit_index(sharded, lambda index: change(index["weight_map"]))
        refused(sharded, INDEX, words)

    def test_index_that_sends_to_another_shard(self, sharded):
        edit_index(sharded, lambda i: i["weight_map"].update({"head_dense/bias": self.SHARD}))
        refused(sharded, self.SHARD, "lacks head_dense/bias")

    @pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": []}', "{", '{"a": 1, "a": 2}'])
    def test_no_index(self, sharded, text):
        (sharded / INDEX).write_text(text)
        vouch(sharded, INDEX)
        refused(sharded, INDEX)

    def test_shards_of_another_version(self, sharded, tmp_path):
        other = make_model(make_card(), seed=2)
        save_checkpoint(other, tmp_path / "other", make_card(), max_shard_size=LIMIT)
        (tmp_path / "other" / self.SHARD).replace(sharded / self.SHARD)
        refused(sharded, self.SHARD, "another version")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A checkpoint of 16 tensors of 256 kB each in float32, half as much in the files."""
    args = {"input_shape": [16, 16, 1], "units": 256, "num_classes": 256}
    card = make_card("maxnorm_mlp15", dtype="float16", labels=())
    how = dataclasses.replace(card.preprocess, size=(16, 16), resize=16)
    folder = tmp_path_factory.mktemp("wide")
    card = dataclasses.replace(card, args=args, preprocess=how)
    model = make_model(card)
    save_checkpoint(model, folder, card, max_shard_size=256_000)
    return folder, model


def peak(function) -> int:
    """The most bytes that the function had, beyond what there was."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_reading_takes_the_memory_of_the_model_and_one_shard(wide):
    folder, model = wide
    card = read_card(folder)
    expected = {
        v.path: (tuple(v.shape), "float16" if len(v.shape) > 1 else "float32")
        for v in model.weights
    }
    needed = 4 * card.params
    assert len(card.weight_files) > 8
    assert needed < peak(lambda: read_weights(folder, card, expected)) < 1.2 * needed


def test_writing_takes_the_memory_of_few_tensors(tmp_path):
    value = np.ones((256, 256), "float32")
    expected = {f"t{i}": (value.shape, "float32") for i in range(64)}
    contents = {"x": lambda _: encode(list(expected), expected, lambda _: value)}
    used = peak(lambda: write_files(tmp_path, contents))
    assert (tmp_path / "x").stat().st_size > 64 * value.nbytes
    assert used < 4 * value.nbytes


def test_default_is_one_file_below_500_mb(tmp_path):
    make_checkpoint(tmp_path)
    assert read_card(tmp_path).weight_files == ("model.safetensors",)
    assert list(split({"a": ((125_000_000,), "float32"), "b": ((1,), "float32")}, 500_000_000)) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
