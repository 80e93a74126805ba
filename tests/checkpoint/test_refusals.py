"""Everything that can be wrong with a folder is one clear error, and nothing is loaded."""

import contextlib
import hashlib
import json
import os

import keras
import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.support.checkpoints import edit_card, edit_weights, make_checkpoint, write_weights
from tests.support.helpers import array
from zoo.checkpoint import folder as checkpoint
from zoo.checkpoint import load_checkpoint, read_card
from zoo.errors import CheckpointError


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    """Counts what reaches a model's variables, and compares Keras's global state."""
    from keras.src.backend.common import global_state

    filled = []
    fill = checkpoint.fill
    monkeypatch.setattr(checkpoint, "fill", lambda *a: (filled.append(a), fill(*a)))

    def state():
        waiting = global_state.get_global_attribute("uninitialized_variables") or []
        return keras.config.dtype_policy().name, keras.config.floatx(), len(waiting)

    before = state()
    yield filled
    assert state() == before
    assert not keras.src.backend.in_stateless_scope()


def refused(folder, *words, **options) -> None:
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder, **options)
    for word in (str(folder), *words):
        assert word in str(error.value)
    assert len(str(error.value)) < 1500


@pytest.fixture(autouse=True)
def never_filled(nothing_is_loaded):
    yield
    assert not nothing_is_loaded


def test_no_folder(tmp_path):
    refused(tmp_path / "nowhere", "zoo.json", "no such folder")


@pytest.mark.parametrize("name", ["zoo.json", "model.safetensors"])
class TestFiles:
    def test_missing(self, folder, name):
        (folder / name).unlink()
        refused(folder, name, "is missing")

    def test_folder(self, folder, name):
        (folder / name).unlink()
        (folder / name).mkdir()
        refused(folder, name, "Is a directory")

    def test_pipe(self, folder, name):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        refused(folder, name, "not a regular file")

    def test_dangling_link(self, folder, name):
        (folder / name).unlink()
        (folder / name).symlink_to(folder / "nothing")
        refused(folder, name, "is missing")

    def test_empty(self, folder, name):
        (folder / name).write_bytes(b"")
        refused(folder, name)


def test_links_out_of_the_folder_are_well(folder, nothing_is_loaded):
    """A Hub cache is made of them, and hashes say what is behind them."""
    for name in ("zoo.json", "model.safetensors"):
        (folder / name).rename(folder.parent / f"blob-{name}")
        (folder / name).symlink_to(f"../blob-{name}")
    assert load_checkpoint(folder).built
    nothing_is_loaded.clear()


@pytest.mark.parametrize("name", ["zoo.json", "model.safetensors"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "/proc/self/maps"])
def test_links_to_what_is_no_such_file(folder, name, target):
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    refused(folder, name)


def test_the_bytes_that_were_hashed_are_those_that_were_loaded(folder, nothing_is_loaded):
    """Whoever writes to the file later, changes nothing: it is not mapped into memory."""
    model = load_checkpoint(folder)
    before = {v.path: array(v) for v in model.weights}
    with open(folder / "model.safetensors", "r+b") as file:
        file.write(b"\xff" * (folder / "model.safetensors").stat().st_size)
    for v in model.weights:
        np.testing.assert_array_equal(array(v), before[v.path])
    nothing_is_loaded.clear()


def test_huge_card_is_not_read(folder):
    with open(folder / "zoo.json", "r+b") as file:
        file.truncate(1 << 40)
    refused(folder, "zoo.json", "at most 1,000,000")


class TestBytes:
    def test_cut_off(self, folder):
        path = folder / "model.safetensors"
        data = path.read_bytes()
        path.write_bytes(data[:-7])
        refused(folder, "cut off", f"{len(data) - 7:,} of {len(data):,} bytes")

    def test_too_long(self, folder):
        with open(folder / "model.safetensors", "ab") as file:
            file.write(b"x")
        refused(folder, "model.safetensors", "get the checkpoint again")

    def test_sparse_terabyte_is_not_read(self, folder):
        with open(folder / "model.safetensors", "r+b") as file:
            file.truncate(1 << 40)
        refused(folder, "model.safetensors", "at most")

    def test_card_vouching_for_a_size_that_is_not_there(self, folder):
        size = (folder / "model.safetensors").stat().st_size
        edit_card(folder, lambda c: c["files"]["model.safetensors"].update(size=1 << 59))
        refused(folder, "cut off", f"{size:,} of {1 << 59:,} bytes")

    def test_card_vouching_for_a_terabyte(self, folder):
        with open(folder / "model.safetensors", "r+b") as file:
            file.truncate(1 << 40)
        edit_card(folder, lambda c: c["files"]["model.safetensors"].update(size=1 << 40))
        refused(folder, "model.safetensors", "cannot hold the weights of this model")

    @pytest.mark.parametrize("where", [0, 9, 500, -1])
    def test_flipped_bit(self, folder, where):
        path = folder / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[where] ^= 1
        path.write_bytes(data)
        refused(folder, "damaged", "get the checkpoint again")

    def test_no_safetensors(self, folder):
        size = (folder / "model.safetensors").stat().st_size
        write_weights(folder, b"\x80\x04" + b"x" * size)
        refused(folder, "not a safetensors file")

    def test_weights_of_another_version(self, folder, tmp_path):
        from tests.support.checkpoints import make_card, make_model

        other = make_model(make_card(), seed=2)
        checkpoint.save_checkpoint(other, tmp_path / "other", make_card())
        (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
        refused(folder, "another version")


def rename(old, new):
    return lambda t: t.update({new: t.pop(old)})


KERNEL, BIAS = "hidden1_dense/kernel", "hidden1_dense/bias"
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename(BIAS, "hidden1_dense/biass"), ["lacks hidden1_dense/bias", "has in addition"]),
        (lambda t: t.pop("head_dense/kernel"), ["lacks head_dense/kernel"]),
        (lambda t: t.update(more=np.zeros(1, "float32")), ["has in addition more"]),
        (lambda t: t.update({KERNEL: t[KERNEL].T.copy()}), [KERNEL, "F32(5, 16)", "F32(16, 5)"]),
        (lambda t: t.update({KERNEL: t[KERNEL].reshape(-1)}), [KERNEL, "F32(80,)"]),
        (lambda t: t.update({BIAS: t[BIAS].astype("float16")}), [BIAS, "F16(5,)", "F32(5,)"]),
        (lambda t: t.update({BIAS: t[BIAS].astype("float64")}), [BIAS, "F64(5,)"]),
        (lambda t: t.update({BIAS: t[BIAS].astype("int32")}), [BIAS, "I32(5,)"]),
        (lambda t: t[BIAS].__setitem__(0, np.nan), [BIAS, "not finite"]),
        (lambda t: t[KERNEL].__setitem__(0, -np.inf), [KERNEL, "not finite"]),
        (lambda t: t.update({f"x{i}": np.zeros(1, "int8") for i in range(99)}), ["and 95 more"]),
    ],
)
def test_tensors_must_be_the_models(folder, change, words):
    edit_weights(folder, change)
    # The size check would see some of these first.
    size = (folder / "model.safetensors").stat().st_size
    if size < 2000:
        words = ["cannot hold"]
    refused(folder, "model.safetensors", *words)


def test_missing_everything(folder):
    tensors = load((folder / "model.safetensors").read_bytes())
    write_weights(folder, save({"a": np.zeros(3 * len(tensors) * 100, "float32")}))
    refused(folder, "lacks", "and 16 more", "has in addition a")


def test_new_head_trusts_no_more(folder):
    edit_weights(folder, lambda t: t[BIAS].__setitem__(0, np.nan))
    refused(folder, BIAS, num_classes=2)
    edit_weights(folder, lambda t: t.update({BIAS: np.zeros(5, "float32"), "x": np.zeros(2)}))
    refused(folder, "has in addition x", num_classes=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: c.update(architecture="maxnorm_mlp4", name="maxnorm_mlp4.toy"),
            ["architecture", "Did you mean 'maxnorm_mlp"],
        ),
        (lambda c: c.update(architecture="os", name="os.system"), ["architecture", "'os'"]),
        (lambda c: c["args"].update(unit=5), ["args", "Did you mean 'units'"]),
        (lambda c: c["args"].update(name="x"), ["args", "'name'"]),
        (lambda c: c["args"].update(depth=5), ["args", "'depth'"]),
        (lambda c: c["args"].update(units=0), ["args", "units must be an integer from 1"]),
        (lambda c: c["args"].update(units=10**9), ["args", "units"]),
        (lambda c: c["args"].update(units="5"), ["args", "units"]),
        (lambda c: c["args"].update(nonlinearity="__import__"), ["args", "nonlinearity"]),
        (lambda c: c["args"].update(input_shape=[4, 4, 4, 1]), ["args", "input_shape"]),
        (lambda c: c["args"].update(units=[5] * 200_000), ["args", "units must be", "..."]),
        (lambda c: c["args"].update({"x" * 900_000: 1}), ["args", "Unknown argument", "'xxx"]),
        (lambda c: c["args"].update(units=4), ["params must be"]),
        (lambda c: c["args"].update(units=6), ["params must be"]),
        (lambda c: c["args"].update(num_classes=10**6), ["params must be"]),
        (lambda c: c.update(params=10**17), ["params must fit into", "1000000000"]),
        (
            lambda c: c.update(architecture="residual_mlp40", name="residual_mlp40.toy"),
            ["args", "residual_mlp40"],
        ),
        (lambda c: c["args"].update(norm="none"), ["params must be"]),
        (lambda c: c["args"].update(units=65536, input_shape=[65536, 65536, 3]), ["params"]),
        (lambda c: c["args"].update(units=65536, input_shape=[65536] * 3), ["params"]),
        (lambda c: c["args"].update(weight_decay=float("nan")), ["args['weight_decay']"]),
        (lambda c: c.update(params=c["params"] + 1), ["params must be"]),
        (lambda c: c.update(labels=["a"]), ["labels must be 3"]),
        (lambda c: c.update(batch_norm=None), ["batch_norm must be epsilon"]),
        (lambda c: c["batch_norm"].update(epsilon=1e-3), ["batch_norm must be epsilon 1e-05"]),
        (lambda c: c["preprocess"].update(size=[5, 4]), ["preprocess must give", "(4, 4, 1)"]),
        (lambda c: c.update(head=["head"]), ["head", "'head'"]),
        (lambda c: c.update(dtype="float16"), ["model.safetensors", "does not fit"]),
        (lambda c: c["files"].update({"../x": {"size": 1, "sha256": "0" * 64}}), ["files", "../x"]),
        (lambda c: c.update(zoo_format=7), ["newer zoo"]),
    ],
)
def test_the_card_must_be_the_models(folder, change, words):
    edit_card(folder, change)
    refused(folder, *words)


def test_arguments_that_do_not_go_together(tmp_path):
    make_checkpoint(tmp_path, "plainnet20")
    edit_card(tmp_path, lambda c: c["args"].update(weight_decay=0.1))
    refused(tmp_path, "zoo.json", "args", "exclude each other")
    edit_card(tmp_path, lambda c: c["args"].update(weight_decay=0, input_shape=[2, 2, 3]))
    refused(tmp_path, "zoo.json", "args", "at least 4")


@pytest.mark.parametrize("head", [["hidden3_dense"], ["head_dense", "hidden3_dense"], []])
def test_a_head_that_is_not_the_head(folder, head, caplog, nothing_is_loaded):
    edit_card(folder, lambda c: c.update(head=head))
    if "head_dense" in head:  # more than needed is the card's right
        model = load_checkpoint(folder, num_classes=2)
        assert "hidden3_dense/kernel" in caplog.text
        assert model.output_shape == (None, 2)
        nothing_is_loaded.clear()
        return
    refused(folder, "zoo.json", "head", num_classes=2)


def test_empty_head_and_as_many_classes(folder):
    edit_card(folder, lambda c: c.update(head=[]))
    refused(folder, "head is empty", num_classes=3)


def test_name(folder):
    refused(folder, "name must be 'plainnet20.cifar10'", name="plainnet20.cifar10")


def test_card_alone(folder):
    edit_card(folder, lambda c: c.update(more=1))
    with pytest.raises(CheckpointError, match=r"zoo\.json: Unknown field: 'more'"):
        read_card(folder)


def test_nothing_large_is_allocated(folder):
    """A card that asks for terabytes costs no memory before it is refused."""
    import resource

    edit_card(folder, lambda c: c["args"].update(units=60000, input_shape=[4000, 4000, 3]))
    edit_card(folder, lambda c: c["preprocess"].update(size=[4000, 4000], channels=3))
    edit_card(folder, lambda c: c["preprocess"].update(mean=[0] * 3, std=[1] * 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder, "params must be")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_building_stops_at_more_weights_than_the_card_names(folder):
    """A small file cannot make a deep or wide net be built to the end."""
    for name, args in {
        "resnet2402": {"input_shape": [4, 4, 3]},
        "resnet152": {"width": 4096, "num_classes": 10**6, "input_shape": [224, 224, 3]},
    }.items():
        edit_card(folder, lambda c, n=name, a=args: c.update(architecture=n, name=f"{n}.x", args=a))
        with layers_made() as made:
            refused(folder, "params must be", "223")
        assert len(made) < 100


@contextlib.contextmanager
def layers_made():
    made = []
    real = keras.layers.Layer.add_weight
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            keras.layers.Layer, "add_weight", lambda *a, **k: (made.append(a), real(*a, **k))[1]
        )
        yield made


class TestShards:
    @pytest.fixture
    def folder(self, template, tmp_path):
        folder, model = template
        card = checkpoint.save_checkpoint(model, tmp_path, read_card(folder), max_shard_size=400)
        assert len(card.weight_files) > 1
        return tmp_path

    def change_index(self, folder, text: str):
        (folder / INDEX).write_text(text)
        entry = {"size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        edit_card(folder, lambda c: c["files"].update({INDEX: entry}))

    def test_huge_index(self, folder):
        self.change_index(folder, " " * 1_000_001)
        refused(folder, INDEX, "larger than 1,000,000 bytes")

    @pytest.mark.parametrize("place", ["../x.safetensors", "/dev/zero", None, [], 7])
    def test_index_that_leads_elsewhere(self, folder, place):
        index = json.loads((folder / INDEX).read_text())
        index["weight_map"][KERNEL] = place
        self.change_index(folder, json.dumps(index))
        refused(folder, INDEX, KERNEL)

    def test_shards_exchanged(self, folder):
        """Each is what its hash says, but not what the index says."""
        first, second = read_card(folder).weight_files[:2]
        (folder / first).rename(folder / "x")
        (folder / second).rename(folder / first)
        (folder / "x").rename(folder / second)

        def change(card):
            files = card["files"]
            files[first], files[second] = files[second], files[first]

        edit_card(folder, change)
        refused(folder, "safetensors")
